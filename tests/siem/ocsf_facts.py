"""Facts of the published OCSF schema, version 1.9.0 (3 August 2026), for what agentguard writes: no text of it.

Source: github.com/ocsf/ocsf-schema, `events/base_event.json`, `events/application/{application,api_activity}.json`,
`profiles/{ai_operation,record_integrity,security_control}.json`, `objects/*.json`, `dictionary.json`. An attribute is
`type`, `type!` where it is required, `type[]` where it is an array; attributes that agentguard never writes and that
nobody requires are left out.
"""

VERSION = "1.9.0"
CLASS_UID, CATEGORY_UID = 6003, 6
PROFILES = {
    "ai_operation": {"ai_agent"},
    "record_integrity": {"attestation_list"},
    "security_control": {
        "action", "action_id", "authorizations", "disposition", "disposition_id", "is_alert", "policy",
    },
}  # fmt: skip

OBJECTS = {
    "api_activity": {
        "activity_id": "integer_t!",
        "activity_name": "string_t",
        "actor": "actor!",
        "ai_agent": "ai_agent",
        "action": "string_t",
        "action_id": "integer_t",
        "api": "api!",
        "attestation_list": "attestation[]",
        "authorizations": "authorization[]",
        "category_name": "string_t",
        "category_uid": "integer_t!",
        "class_name": "string_t",
        "class_uid": "integer_t!",
        "disposition": "string_t",
        "disposition_id": "integer_t",
        "is_alert": "boolean_t",
        "message": "string_t",
        "metadata": "metadata!",
        "policy": "policy",
        "raw_data_hash": "fingerprint",
        "resources": "resource_details[]",
        "severity": "string_t",
        "severity_id": "integer_t!",
        "src_endpoint": "network_endpoint!",
        "status": "string_t",
        "status_code": "string_t",
        "status_id": "integer_t",
        "time": "timestamp_t!",
        "type_name": "string_t",
        "type_uid": "long_t!",
        "unmapped": "object",
    },
    "actor": {"user": "user"},
    "ai_agent": {
        "ai_model": "ai_model",
        "instance_uid": "string_t",
        "name": "string_t",
        "type": "string_t",
        "type_id": "integer_t",
        "uid": "string_t!",
        "version": "string_t",
    },
    "ai_model": {"ai_provider": "string_t!", "name": "string_t!"},
    "api": {"operation": "string_t!", "request": "request", "service": "service"},
    "attestation": {
        "authority_uid": "string_t",
        "chain_uid": "string_t",
        "fingerprint": "fingerprint",
        "prev_event": "prev_event",
        "uid": "string_t",
    },
    "authorization": {"decision": "string_t", "policy": "policy"},
    "fingerprint": {"algorithm": "string_t", "algorithm_id": "integer_t!", "value": "file_hash_t!"},
    "metadata": {
        "correlation_uid": "string_t",
        "event_code": "string_t",
        "log_name": "string_t",
        "log_provider": "string_t",
        "original_time": "string_t",
        "product": "product!",
        "profiles": "string_t[]",
        "sequence": "integer_t",
        "tenant_uid": "string_t",
        "uid": "string_t",
        "version": "string_t!",
    },
    "network_endpoint": {"instance_uid": "string_t", "svc_name": "string_t"},
    "policy": {"name": "string_t", "uid": "string_t", "version": "string_t"},
    "prev_event": {"uid": "string_t!"},
    "product": {"name": "string_t", "vendor_name": "string_t", "version": "string_t"},
    "request": {"uid": "string_t!"},
    "resource_details": {"type": "string_t", "uid": "string_t"},
    "service": {"name": "string_t"},
    "user": {"type": "string_t", "type_id": "integer_t", "uid": "string_t"},
}

AT_LEAST_ONE = {
    "actor": {"process", "user", "invoked_by", "session", "app_name", "app_uid"},
    "attestation": {"fingerprint", "signatures"},
    "network_endpoint": {"ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "domain"},
    "policy": {"name", "type", "uid"},
    "product": {"name", "uid"},
    "user": {"account", "name", "uid"},
}

ENUMS = {
    ("api_activity", "activity_id"): {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"},
    ("api_activity", "action_id"): {0: "Unknown", 1: "Allowed", 2: "Denied"},
    ("api_activity", "category_uid"): {6: "Application Activity"},
    ("api_activity", "class_uid"): {6003: "API Activity"},
    ("api_activity", "disposition_id"): {
        0: "Unknown", 1: "Allowed", 2: "Blocked", 3: "Quarantined", 4: "Isolated", 5: "Deleted", 6: "Dropped",
        7: "Custom Action", 8: "Approved", 9: "Restored", 10: "Exonerated", 11: "Corrected", 12: "Partially Corrected",
        13: "Uncorrected", 14: "Delayed", 15: "Detected", 16: "No Action", 17: "Logged", 18: "Tagged", 19: "Alert",
        20: "Count", 21: "Reset", 22: "Captcha", 23: "Challenge", 24: "Access Revoked", 25: "Rejected",
        26: "Unauthorized", 27: "Error", 99: "Other",
    },
    ("api_activity", "severity_id"): {
        0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: "Other",
    },
    ("api_activity", "status_id"): {0: "Unknown", 1: "Success", 2: "Failure", 99: "Other"},
    ("ai_agent", "type_id"): {0: "Unknown", 1: "Native", 2: "LangChain", 3: "AutoGen", 4: "CrewAI", 99: "Other"},
    ("fingerprint", "algorithm_id"): {
        0: "Unknown", 1: "MD5", 2: "SHA-1", 3: "SHA-256", 4: "SHA-512", 5: "CTPH", 6: "TLSH", 7: "quickXorHash",
        8: "SHA-224", 9: "SHA-384", 10: "SHA-512/224", 11: "SHA-512/256", 12: "SHA3-224", 13: "SHA3-256",
        14: "SHA3-384", 15: "SHA3-512", 16: "xxHash H3 64-bit", 17: "xxHash H3 128-bit", 18: "Imphash", 99: "Other",
    },
    ("user", "type_id"): {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 4: "Service", 99: "Other"},
}  # fmt: skip

SIBLINGS = {
    "activity_id": "activity_name",
    "action_id": "action",
    "algorithm_id": "algorithm",
    "category_uid": "category_name",
    "class_uid": "class_name",
    "disposition_id": "disposition",
    "severity_id": "severity",
    "status_id": "status",
    "type_id": "type",
}
"""The text that has to say what a number means, unless the number says `Other`."""
