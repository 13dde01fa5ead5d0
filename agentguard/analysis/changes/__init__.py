"""What a change of policy files says otherwise than before, sentence by sentence, and which way each change goes."""
