"""Requests of an office by what they are about: tool, the agent's words, the mission's goal, arguments.

A tool serves several concerns, and some concerns are served by several tools.
"""

from typing import Any

Request = tuple[str, str, str, dict[str, Any]]

CONCERNS: dict[str, list[Request]] = {
    "remind who has not paid": [
        (
            "send_mail",
            "Invoice 118 is three weeks late.",
            "Collect what is owed",
            {"to": "kim@acme.example", "subject": "Reminder"},
        ),
        (
            "send_mail",
            "The customer has not paid since May.",
            "Keep the books",
            {"to": "jo@north.example", "subject": "Open invoice 97"},
        ),
        (
            "send_letter",
            "The second reminder was not answered.",
            "Collect what is owed",
            {"address": "North Ltd", "subject": "Last reminder"},
        ),
        (
            "send_mail",
            "Payment of 2,300 is overdue.",
            "Close the quarter",
            {"to": "pay@wide.example", "subject": "Overdue"},
        ),
        (
            "send_mail",
            "They promised to pay by Friday and did not.",
            "Collect what is owed",
            {"to": "ed@field.example", "subject": "Your payment"},
        ),
    ],
    "tell about a new version": [
        (
            "send_mail",
            "Version 4 is out and customers should know.",
            "Launch version 4",
            {"to": "all-customers", "subject": "What is new"},
        ),
        (
            "send_mail",
            "The newsletter of June is ready.",
            "Keep customers informed",
            {"to": "newsletter", "subject": "News in June"},
        ),
        ("publish_post", "The release notes belong on the blog.", "Launch version 4", {"title": "Version 4 is here"}),
        (
            "send_mail",
            "Partners want to hear of the beta first.",
            "Launch version 4",
            {"to": "partners", "subject": "Beta of version 4"},
        ),
        ("publish_post", "Announce the new search.", "Keep customers informed", {"title": "Search got better"}),
    ],
    "answer an applicant": [
        (
            "send_mail",
            "The applicant fits and should be invited.",
            "Hire an engineer",
            {"to": "li@mail.example", "subject": "Interview"},
        ),
        (
            "send_mail",
            "We took somebody else for the position.",
            "Hire an engineer",
            {"to": "max@mail.example", "subject": "Your application"},
        ),
        (
            "send_mail",
            "She asked when she will hear from us.",
            "Hire a designer",
            {"to": "ana@mail.example", "subject": "Your application"},
        ),
        (
            "send_letter",
            "The contract of employment is to be signed.",
            "Hire a designer",
            {"address": "The applicant", "subject": "Contract"},
        ),
        (
            "send_mail",
            "Propose three dates for the second interview.",
            "Hire an engineer",
            {"to": "li@mail.example", "subject": "Dates"},
        ),
    ],
    "clean up branches": [
        ("delete_branch", "It was merged a month ago.", "Tidy up the repository", {"branch": "feature/search"}),
        ("delete_branch", "Nobody has pushed to it since January.", "Tidy up the repository", {"branch": "try-rust"}),
        (
            "delete_branch",
            "The pull request was closed without merging.",
            "Tidy up the repository",
            {"branch": "fix/typo"},
        ),
        (
            "run_command",
            "Remove local branches that are merged.",
            "Tidy up the repository",
            {"command": "git branch -d old"},
        ),
        (
            "delete_branch",
            "A release branch that is not supported any more.",
            "Retire version 2",
            {"branch": "release/2.1"},
        ),
    ],
    "erase a person": [
        (
            "delete_records",
            "The customer asks for erasure of their data.",
            "Answer requests about privacy",
            {"table": "customers", "id": 881},
        ),
        (
            "delete_records",
            "Applications are kept for six months only.",
            "Keep to the privacy rules",
            {"table": "applicants", "before": "2026-01"},
        ),
        (
            "delete_records",
            "He withdrew his consent to the newsletter.",
            "Answer requests about privacy",
            {"table": "subscribers", "id": 12},
        ),
        (
            "run_command",
            "Wipe the export with personal data.",
            "Keep to the privacy rules",
            {"command": "shred export.csv"},
        ),
        (
            "delete_records",
            "The account was closed, so its data must go.",
            "Answer requests about privacy",
            {"table": "customers", "id": 17},
        ),
    ],
    "pay suppliers": [
        ("pay_invoice", "The hosting of May is due.", "Pay what is due", {"to": "Hosting Inc", "cents": 41200}),
        ("pay_invoice", "Paper and ink were delivered.", "Pay what is due", {"to": "Office Supply", "cents": 8900}),
        ("pay_invoice", "The rent of the office.", "Pay what is due", {"to": "House & Co", "cents": 320000}),
        ("transfer", "The freelancer has finished the logo.", "Launch version 4", {"to": "Studio K", "cents": 90000}),
        ("pay_invoice", "Licences of the design program.", "Pay what is due", {"to": "Design Soft", "cents": 59900}),
    ],
    "give money back": [
        (
            "transfer",
            "The parcel never arrived, so refund it.",
            "Answer complaints",
            {"to": "customer 4411", "cents": 3900},
        ),
        (
            "pay_invoice",
            "A credit note for the broken screen.",
            "Answer complaints",
            {"to": "customer 901", "cents": 12900},
        ),
        (
            "transfer",
            "Charged twice by mistake; pay one back.",
            "Answer complaints",
            {"to": "customer 77", "cents": 1900},
        ),
        (
            "transfer",
            "The customer returned the goods in time.",
            "Answer complaints",
            {"to": "customer 5120", "cents": 7400},
        ),
        (
            "transfer",
            "A goodwill refund for the outage.",
            "Make up for the outage",
            {"to": "customer 31", "cents": 5000},
        ),
    ],
    "publish findings": [
        (
            "publish_report",
            "The study of dopants is finished.",
            "Find a better electrolyte",
            {"file_name": "dopants.md"},
        ),
        (
            "publish_report",
            "All passages about humidity are cited.",
            "Find a better electrolyte",
            {"file_name": "humid-air.md"},
        ),
        (
            "publish_report",
            "The measurements agree with the model.",
            "Understand conductivity",
            {"file_name": "conductivity.md"},
        ),
        (
            "publish_post",
            "Summarise the study for the public.",
            "Find a better electrolyte",
            {"title": "What we found out about dopants"},
        ),
        (
            "publish_report",
            "A review of the literature on sulfides.",
            "Understand conductivity",
            {"file_name": "sulfides.md"},
        ),
    ],
    "travel": [
        (
            "book_travel",
            "The talk was accepted; somebody must be there.",
            "Speak at the conference",
            {"to": "Lyon", "nights": 3},
        ),
        ("book_travel", "The customer wants to meet in person.", "Win the contract", {"to": "Oslo", "nights": 1}),
        (
            "book_travel",
            "A train is cheaper than the flight.",
            "Speak at the conference",
            {"to": "Lyon", "by": "train"},
        ),
        (
            "pay_invoice",
            "The hotel of the conference wants a deposit.",
            "Speak at the conference",
            {"to": "Hotel Lyon", "cents": 20000},
        ),
        (
            "book_travel",
            "The team meets at the office twice a year.",
            "Bring the team together",
            {"to": "Berlin", "nights": 2},
        ),
    ],
    "restart what is stuck": [
        (
            "run_command",
            "The queue has not moved for an hour.",
            "Keep the site up",
            {"command": "systemctl restart queue"},
        ),
        (
            "run_command",
            "The web server answers with errors.",
            "Keep the site up",
            {"command": "systemctl restart web"},
        ),
        (
            "restart_service",
            "Memory is full on the second machine.",
            "Keep the site up",
            {"service": "cache", "host": "two"},
        ),
        (
            "restart_service",
            "The search index hangs since the update.",
            "Launch version 4",
            {"service": "search", "host": "one"},
        ),
        ("run_command", "The nightly job is stuck in a lock.", "Keep the site up", {"command": "kill 4411"}),
    ],
}
