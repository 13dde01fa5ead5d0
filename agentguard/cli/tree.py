"""What there is to type, and what each command does in a line: known without importing any of it."""

from __future__ import annotations

from agentguard.cli.groups import Branch, Leaf

POLICY = Branch(
    "Policy files: lint, test, explain, prove, put into force.",
    {
        "init": Leaf("Begin a folder of policies, with examples, people and schemas.", "starting:init"),
        "lint": Leaf("Say everything that is wrong with policy and test files.", "lints:lint"),
        "test": Leaf("Run the cases of `*_test.yaml` files.", "caseruns:run"),
        "explain": Leaf("Say in plain words what policies say, or why it came so.", "explanations:explain"),
        "prove": Leaf("Prove what policies promise for every possible request.", "proofs:prove"),
        "diff": Leaf("Say what a change of policies means, with witnesses.", "diffs:compare"),
        "simulate": Leaf("Decide the recorded past again under changed policies.", "simulations:simulate"),
        "compare": Leaf("Show what policies in shadow mode would have decided.", "simulations:compare"),
        "watch": Leaf("Say with every save what is wrong and what it means.", "watching:watch"),
        "fmt": Leaf("Put policy, test and people files into their one layout.", "editing:fmt"),
        "schema": Leaf("Print the JSON Schema that editors check files with.", "editing:print_schema"),
        "activate": Leaf("Put the policies of a folder into force.", "activations:activate"),
        "approve": Leaf("Say yes to policies that somebody else asked for.", "proposals:approve"),
        "withdraw": Leaf("Take back policies that were asked for.", "proposals:withdraw"),
        "rollback": Leaf("Put policies that were in force before into force again.", "activations:rollback"),
        "canary": Leaf("Show the canary that runs, or who decides for a customer.", "canaries:canary"),
        "history": Leaf("Show which policies came into force when, by whom and why.", "activations:history"),
    },
)

LEGAL_HOLD = Branch(
    "What must be neither purged nor erased, who says so and why.",
    {
        "set": Leaf("Keep records from being purged and erased.", "retention:set_hold"),
        "lift": Leaf("Let go what a hold keeps.", "retention:lift_hold"),
        "list": Leaf("List what is held now, since when, by whom and why.", "retention:list_holds"),
    },
)

AUDIT = Branch(
    "The audit log: what happened, why, and whether it is intact.",
    {
        "verify": Leaf("Check that the log still says what it said.", "verifying:verify"),
        "list": Leaf("List entries, the newest first.", "audit:list_entries"),
        "show": Leaf("Show one entry, or one action from request to settlement.", "audit:show"),
        "stream": Leaf("Write the log as OCSF events or CloudEvents.", "streams:stream"),
        "erase": Leaf("Destroy what identifies a customer.", "privacy:erase"),
        "about": Leaf("Write a customer's copy of everything about them.", "privacy:about"),
        "purge": Leaf("Take away the text of records whose time is over.", "retention:purge"),
        "restored": Leaf("Say that an older database was put back on purpose.", "witness_restored:restored"),
        "keygen": Leaf("Make a key that signs the log.", "keys:keygen"),
        "change-key": Leaf("Let another key sign the log from here on.", "keys:change_key"),
        "seal": Leaf("Sign checkpoints of the log soon after entries.", "seals:seal"),
        "checkpoint": Leaf("Print a signed note of the log's size and root.", "seals:checkpoint"),
        "receipt": Leaf("Print the proof that an entry is in the sealed log.", "seals:receipt"),
        "check-receipt": Leaf("Check a receipt against the log and keys you trust.", "seals:check_receipt"),
        "export": Leaf("Write an evidence pack that is checked without agentguard.", "packs:export"),
        "reconcile": Leaf("Compare a payment provider's export with the record.", "completeness:reconcile"),
        "affected": Leaf("List what a policy, rule, model or source decided.", "incidents:affected"),
        "note": Leaf("Note an incident about entries or actions, for good.", "incidents:note"),
        "legal-hold": LEGAL_HOLD,
    },
)

ESCALATIONS = Branch(
    "What waits for people, and their votes.",
    {
        "list": Leaf("List what waits for people, what is due first.", "escalations:list_escalations"),
        "show": Leaf("Show what was asked, why it waits, and what it rests on.", "escalations:show"),
        "stats": Leaf("Show how people decide: how much, how fast, how late.", "escalations:stats"),
        "approve": Leaf("Vote yes.", "votes:approve"),
        "reject": Leaf("Vote no: one no denies the action.", "votes:reject"),
        "amend": Leaf("Ask for less, or for another choice, instead.", "votes:amend"),
        "withdraw": Leaf("Take back what was asked for; nobody has to decide it.", "votes:withdraw"),
        "contest": Leaf("Let people who have not seen a denial look at it anew.", "contests:contest"),
    },
)

REVIEWS = Branch(
    "Decisions drawn to be looked at, and what people found.",
    {
        "list": Leaf("List what was drawn, what was drawn first comes first.", "reviews:list_cases"),
        "show": Leaf("Show what was asked and known, without what was decided.", "reviews:show"),
        "judge": Leaf("Say what would have been right.", "reviews:judge"),
        "report": Leaf("Show how often decisions were wrong, and how sure that is.", "reviews:report"),
        "verify": Leaf("Make every draw again, and say which cases are missing.", "reviews:verify"),
    },
)

PEOPLE = Branch(
    "Who may decide, stop and let go.",
    {"show": Leaf("Show everybody with groups and powers, and who you are.", "people:show")},
)

ACTIONS = Branch(
    "What was asked for, and where each action stands.",
    {
        "list": Leaf("List actions in the order in which they were asked for.", "actions:list_actions"),
        "show": Leaf("Show one action from request to settlement, in words.", "actions:show"),
        "resolve": Leaf("Say what a person found out about an action in doubt.", "actions:resolve"),
    },
)

CLOCK = Branch(
    "What time it is for the record, and what if it jumped.",
    {
        "show": Leaf("Show the clock and the record's own time.", "clock:show"),
        "confirm": Leaf("Say that the clock, which jumped, is right.", "clock:confirm"),
    },
)

STORE = Branch(
    "The database: what it is, and its tables.",
    {
        "show": Leaf("Show the database, its tables, log and keys.", "store:show"),
        "upgrade": Leaf("Bring the tables to this version.", "store:upgrade"),
    },
)

WITNESS = Branch(
    "A witness: keeps the newest checkpoints of other logs.",
    {
        "keygen": Leaf("Make a witness's key, and print the public one.", "witness:keygen"),
        "serve": Leaf("Serve a witness over HTTP until it is interrupted.", "witness:serve"),
    },
)

TREE = Branch(
    "Policies, limits, escalations and the audit log of what LLM agents do.",
    {
        "limits": Leaf("Show what is used and held of each limit, key by key.", "limits:show"),
        "record": Leaf("Count what people and other systems did.", "recording:record"),
        "recover": Leaf("Find out what became of actions that were abandoned.", "operating:recover"),
        "worker": Leaf("Do what is due: deadlines, notices, what was approved.", "worker:work"),
        "letter": Leaf("Write the customer's letter about a decision.", "letters:letter"),
        "halt": Leaf("Stop everything, one action or one agent, at once.", "operating:halt"),
        "resume": Leaf("Let go on what was stopped.", "operating:resume"),
        "demo": Leaf("Watch an agent serve customers behind a guard.", "demo.command:demo"),
        "policy": POLICY,
        "audit": AUDIT,
        "escalations": ESCALATIONS,
        "reviews": REVIEWS,
        "people": PEOPLE,
        "actions": ACTIONS,
        "clock": CLOCK,
        "store": STORE,
        "witness": WITNESS,
    },
)
