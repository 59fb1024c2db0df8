"""What config/hub.yaml and the environment may say: every setting declared once, for the check at start and the manual.

What a connection may say beyond CONNECTION_SETTINGS is declared by its connector.
"""

from __future__ import annotations

from hub.budget import KEPT
from hub.contract import Setting

HUB_SETTINGS: tuple[Setting, ...] = (
    Setting(name="company", about="The company's name, as pages show it.", default="Patchbay", example="Lumen Energy"),
    Setting(name="country", about="ISO code: how a number without a country code is read where nothing nearer says so.",
            required=True, example="ES"),
    Setting(name="zone", about="IANA time zone of dates where a mapping declares none.", default="UTC",
            example="Europe/Madrid"),
    Setting(name="own_numbers", about="The company's own numbers and extensions: never looked up as a customer. "
            "Further ones are learned from traffic.", kind="list", default=(), example=["+34911234567"]),
    Setting(name="public_url", about="Where browsers and platforms reach this hub. By default http://HOST:PORT.",
            kind="url", example="https://patchbay.example.com"),
    Setting(name="host", about="The address to listen on (PATCHBAY_HOST).", default="127.0.0.1"),
    Setting(name="port", about="The port to listen on (PATCHBAY_PORT).", kind="integer", default=8080),
    Setting(name="database_url", about="The store (PATCHBAY_DATABASE_URL): SQLite or PostgreSQL. By default the file "
            "patchbay.db in PATCHBAY_HOME.", kind="secret", example="postgresql://patchbay:…@db.example/patchbay"),
    Setting(name="mappings", about="The folder of the mappings (PATCHBAY_MAPPINGS), from this file's folder. "
            "By default `mappings` beside the folder of this file."),
    Setting(name="screen_pop", about="The file of the screen pop's decision table, from this file's folder.",
            default="screen_pop.yaml"),
    Setting(name="directory", about="The file of the customer directory, from this file's folder: what is pulled from the "
            "CRMs so that a screen pop answers while one is slow or down.", default="directory.yaml"),
    Setting(name="max_body_bytes", about="The largest body that a hook may have.", kind="integer", default=1 << 20),
    Setting(name="lease_seconds", about="After how long without a sign of life a node's deliveries are another's to take.",
            kind="number", default=60.0),
    Setting(name="longest_retry_seconds", about="The longest wait between two tries of a delivery; it doubles up to this.",
            kind="number", default=600.0),
    Setting(name="give_up_after_hours", about="A delivery that fails for so long is parked for a person.", kind="number",
            default=24.0),
    Setting(name="credentials_check_hours", about="How often each connection is asked whether our credentials are good.",
            kind="number", default=6.0),
    Setting(name="credentials_expiring_days", about="So long before their end, credentials count as expiring.",
            kind="number", default=14.0),
    Setting(name="drift_hours", about="How often every mapping is compared with what its CRM is now; what does not fit is "
            "an alert. It is looked at too when a CRM refuses values. 0: not by the clock.", kind="number", default=24.0),
    Setting(name="sample", about="Fill an empty embedded CRM with sample people at the first start.", kind="boolean",
            default=False),
)  # fmt: skip
CONNECTION_SETTINGS: tuple[Setting, ...] = (
    Setting(name="connector", about="Which connector it uses.", required=True, example="webhook"),
    Setting(name="concurrency", about="How many calls at the same time.", kind="integer", default=4),
    Setting(name="calls_per_second", about="At most so many calls a second.", kind="number"),
    Setting(name="calls_per_day", about="At most so many calls a UTC day; then it pauses till midnight.",
            kind="integer"),
    Setting(name="kept_for_interactive", about="Percent of the day's calls that only screen pops, dials and interactive "
            "deliveries may use, till the day's last hour.", kind="integer", default=KEPT[0]),
    Setting(name="kept_for_wrap_ups", about="Percent of the day's calls that contact lists leave to wrap-ups, till the "
            "day's last hour.", kind="integer", default=KEPT[1]),
    Setting(name="bulk_above", about="When more deliveries than this are due for one mapping, they go the connector's bulk "
            "path, where it has one.", kind="integer", default=2000),
    Setting(name="timeout_seconds", about="How long to wait for an answer.", kind="number", default=30.0),
    Setting(name="read_back", about="Whether what was written is read and compared with what was sent: `off`, `sample` (a "
            "share of the records) or `full`. It takes calls, in the lane of lists.", default="off", example="sample"),
    Setting(name="read_back_share", about="With `sample`, which share of the written records is read, from 0 to 1.",
            kind="number", default=0.05),
    Setting(name="read_back_after_seconds", about="How long after the write it is read: the CRM's own automation may need "
            "a moment.", kind="number", default=5.0),
    Setting(name="ca_file", about="A file with the certificates of your own authority, in PEM: what it signed is trusted on "
            "this connection, and nothing else. By default the public authorities are.", kind="file",
            example="/etc/ssl/company-ca.pem"),
    Setting(name="private_network", about="Whether it may reach loopback and private addresses.", kind="boolean",
            default=False),
)  # fmt: skip
DIAL_SETTINGS: tuple[Setting, ...] = (
    Setting(name="connection", about="The platform that dials where a request names none and several could.", default="",
            example="softphone"),
    Setting(name="per_minute", about="At most so many dials of one agent in a minute.", kind="integer", default=10),
    Setting(name="blocked_prefixes", about="International numbers that begin so are not dialled.", kind="list", default=(),
            example=["+34803"]),
    Setting(name="premium", about="Whether numbers that cost extra by design may be dialled.", kind="boolean",
            default=False),
    Setting(name="double_click_seconds", about="The same request again so soon is the same click.", kind="number",
            default=3.0),
    Setting(name="answer_seconds", about="How long the person who clicked waits for the platform.", kind="number",
            default=10.0),
    Setting(name="country_fields", about="The fields in which a record keeps its ISO country code.", kind="list",
            default=("country", "country_code")),
    Setting(name="do_not_call_fields", about="The fields in which a record says that it must not be called.", kind="list",
            default=("do_not_call",)),
)  # fmt: skip
VARIABLES = (  # of the environment, beside those that a settings' file refers to; each after PATCHBAY_
    "ADMIN_PASSWORD", "API_TOKEN", "WEBHOOK_SECRET", "HOME", "CONFIG", "MAPPINGS", "DATABASE_URL", "HOST", "PORT", "LOG",
    "CONTACT_CENTRE_SECRET", "SOFTPHONE_URL", "SOFTPHONE_TOKEN", "SOFTPHONE_SPEED", "TEST_POSTGRES_URL",
    "BENCH_DATABASE_URL", "BENCH_DIR", "BENCH_PROFILER",
)  # fmt: skip
POSITIVE = (  # those that have to be more than 0
    "concurrency", "calls_per_second", "calls_per_day", "bulk_above", "timeout_seconds", "max_body_bytes", "lease_seconds",
    "longest_retry_seconds", "give_up_after_hours",
    "credentials_check_hours", "credentials_expiring_days",
    "per_minute", "double_click_seconds", "answer_seconds",
)  # fmt: skip
