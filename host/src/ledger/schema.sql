-- A Tidegate ledger, version 1: the durable state of one agent. `.schema` in the sqlite3 shell shows these comments.
-- Times are milliseconds since 1970-01-01T00:00:00Z, digests SHA-256 in lower-case hex, sizes bytes. `tenant` is ''
-- for streams without one. Only the agent writes here; reading beside it is safe.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL, -- store: which store this is about; node: the identity last used; created-at;
                                     -- created-by: the program's version; adopted: the store before an adoption,
                                     -- until the next agent starts
    value TEXT NOT NULL
) STRICT;

CREATE TABLE nodes (
    node       TEXT PRIMARY KEY NOT NULL, -- an identity this agent has worked for
    first_seen INTEGER NOT NULL           -- a policy's start-up grace counts from here
) STRICT;

CREATE TABLE documents (
    digest TEXT PRIMARY KEY NOT NULL, -- of body
    body   BLOB NOT NULL,             -- a schema, byte for byte as it was read or written
    uses   INTEGER NOT NULL DEFAULT 0 -- how often streams and archive name it; kept by triggers, removed at 0
) STRICT;

CREATE TABLE streams (
    id                INTEGER PRIMARY KEY,
    node              TEXT NOT NULL,
    tenant            TEXT NOT NULL,
    name              TEXT NOT NULL,
    incarnation       TEXT,                       -- the marker's created-at; NULL where there is none
    phase             TEXT NOT NULL CHECK (phase IN ('unseen', 'unknown', 'idle', 'awaiting', 'pending', 'provisional',
                                                     'synced', 'conflicted', 'abandoned', 'gone')),
    attempts          INTEGER NOT NULL DEFAULT 0, -- failed ones since the last success
    failing_since     INTEGER,                    -- NULL when the last attempt did not fail
    next_attempt      INTEGER,                    -- NULL when nothing is scheduled
    failure_kind      TEXT,                       -- of the last failure: schema-absent, store-throttled, …
    failure           TEXT,                       -- the same in words
    failure_at        INTEGER,
    last_success      INTEGER,                    -- when the store was last known to hold the schema
    source            TEXT,                       -- where the stored content came from: local, fallback:peers, …
    local_fingerprint TEXT,                       -- of the staged schema's meaning; 16 hex digits
    signature         TEXT,                       -- of the staged files as they were last judged
    remote_seen       INTEGER,                    -- when a request about the object was last answered; NULL: never
    remote_size       INTEGER,                    -- NULL when nothing stood there
    remote_modified   INTEGER,
    remote_version    TEXT,                       -- what a conditional write compares
    captured          TEXT,                       -- documents.digest: the local schema as last read
    confirmed         TEXT,                       -- documents.digest: what the store was last known to hold
    intent            TEXT,                       -- documents.digest: a write whose outcome is not yet known
    recorded          INTEGER NOT NULL DEFAULT 0, -- attempts ever recorded: the last attempts.seq
    state             TEXT NOT NULL,              -- JSON, the agent's own
    settled           INTEGER NOT NULL,           -- 0 while anything is left to do, 1 else
    updated           INTEGER NOT NULL,
    UNIQUE (node, tenant, name)
) STRICT;

CREATE TABLE attempts (
    id      INTEGER PRIMARY KEY,
    stream  INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL, -- counts up from 1 within a stream
    at      INTEGER NOT NULL,
    summary TEXT NOT NULL,    -- one line for people
    detail  TEXT NOT NULL,    -- JSON for `tidegate explain`
    size    INTEGER NOT NULL, -- of summary and detail
    UNIQUE (stream, seq)
) STRICT;

CREATE TABLE archive (
    id          INTEGER PRIMARY KEY,
    node        TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    name        TEXT NOT NULL,
    incarnation TEXT NOT NULL, -- '' where it was unknown
    ended_at    INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('confirmed', 'captured', 'replaced')),
                               -- captured: the store never had it; replaced: by an operator, to resolve a conflict
    document    TEXT NOT NULL, -- documents.digest: the last good copy
    UNIQUE (node, tenant, name, incarnation, kind, document)
) STRICT;

CREATE TABLE policy_state (
    id     INTEGER PRIMARY KEY,
    policy TEXT NOT NULL, -- the name in the configuration
    node   TEXT NOT NULL,
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL, -- '' for the state that all streams of the node share
    key    TEXT NOT NULL,
    value  BLOB NOT NULL,
    UNIQUE (node, tenant, stream, policy, key)
) STRICT;

CREATE TABLE policy_writes (
    id     INTEGER PRIMARY KEY,
    node   TEXT NOT NULL,
    tenant TEXT NOT NULL,
    stream TEXT NOT NULL,    -- the stream that the decision was about
    policy TEXT NOT NULL,
    key    TEXT NOT NULL,    -- of the object that it writes
    digest TEXT NOT NULL,    -- of what it writes there
    size   INTEGER NOT NULL,
    at     INTEGER NOT NULL
) STRICT; -- a row stands from before the request until its outcome is known

CREATE TABLE policies (
    name     TEXT PRIMARY KEY NOT NULL, -- in the configuration
    digest   TEXT NOT NULL,             -- of the component
    version  TEXT NOT NULL,             -- the policy's own
    health   TEXT NOT NULL CHECK (health IN ('healthy', 'quarantined', 'half-open')),
    failures INTEGER NOT NULL,          -- in a row
    since    INTEGER NOT NULL,          -- when it came into this health
    cause    TEXT                       -- the last failure in words
) STRICT;

CREATE TABLE probes (
    store  TEXT PRIMARY KEY NOT NULL,
    result TEXT NOT NULL, -- JSON: what the store can do
    at     INTEGER NOT NULL
) STRICT;

CREATE TABLE heartbeat (
    id             INTEGER PRIMARY KEY CHECK (id = 1), -- one row: the agent's latest report about itself
    pid            INTEGER NOT NULL,
    started        INTEGER NOT NULL,
    at             INTEGER NOT NULL, -- when it was reported
    interval       INTEGER NOT NULL, -- the longest time until the next report, in milliseconds
    stopped        INTEGER NOT NULL, -- 1: the agent stopped cleanly with this report
    scanned        INTEGER,          -- end of the last scan that succeeded
    next_scan      INTEGER,
    store_answered INTEGER,          -- when the store last answered
    streams        INTEGER NOT NULL, -- known to the agent
    unjudged       INTEGER NOT NULL, -- found in staging and not judged yet
    queued         INTEGER NOT NULL, -- attempts that are queued or running
    configuration  TEXT NOT NULL,    -- SHA-256 of the file
    store_check    TEXT NOT NULL CHECK (store_check IN ('pending', 'passed', 'failed', 'off')),
    store_found    TEXT NOT NULL,    -- what the check found, or why it failed
    store_checked  INTEGER
) STRICT;

CREATE TABLE conditions (
    kind   TEXT PRIMARY KEY NOT NULL, -- ledger-failing, staging-missing, …: what keeps the node from its work
    since  INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE totals (
    name  TEXT PRIMARY KEY NOT NULL, -- history-bytes: the sum of attempts.size, kept by triggers
    value INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES ('history-bytes', 0);

CREATE TRIGGER attempts_added AFTER INSERT ON attempts BEGIN
    UPDATE totals SET value = value + NEW.size WHERE name = 'history-bytes';
END;
CREATE TRIGGER attempts_removed AFTER DELETE ON attempts BEGIN
    UPDATE totals SET value = value - OLD.size WHERE name = 'history-bytes';
END;

-- Documents live as long as someone names them.
CREATE TRIGGER streams_added AFTER INSERT ON streams BEGIN
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.captured;
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.confirmed;
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.intent;
END;
CREATE TRIGGER streams_removed AFTER DELETE ON streams BEGIN
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.captured;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.confirmed;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.intent;
    DELETE FROM documents WHERE digest IN (OLD.captured, OLD.confirmed, OLD.intent) AND uses <= 0;
END;
CREATE TRIGGER streams_changed AFTER UPDATE ON streams
WHEN NEW.captured IS NOT OLD.captured OR NEW.confirmed IS NOT OLD.confirmed OR NEW.intent IS NOT OLD.intent BEGIN
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.captured;
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.confirmed;
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.intent;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.captured;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.confirmed;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.intent;
    DELETE FROM documents WHERE digest IN (OLD.captured, OLD.confirmed, OLD.intent) AND uses <= 0;
END;
CREATE TRIGGER archive_added AFTER INSERT ON archive BEGIN
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.document;
END;
CREATE TRIGGER archive_changed AFTER UPDATE OF document ON archive WHEN NEW.document <> OLD.document BEGIN
    UPDATE documents SET uses = uses + 1 WHERE digest = NEW.document;
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.document;
    DELETE FROM documents WHERE digest = OLD.document AND uses <= 0;
END;
CREATE TRIGGER archive_removed AFTER DELETE ON archive BEGIN
    UPDATE documents SET uses = uses - 1 WHERE digest = OLD.document;
    DELETE FROM documents WHERE digest = OLD.document AND uses <= 0;
END;

-- For people at the sqlite3 shell.
CREATE VIEW overview AS
SELECT node, tenant, name, phase, attempts, source, failure,
       strftime('%Y-%m-%dT%H:%M:%SZ', next_attempt / 1000, 'unixepoch') AS next_attempt,
       strftime('%Y-%m-%dT%H:%M:%SZ', last_success / 1000, 'unixepoch') AS last_success,
       strftime('%Y-%m-%dT%H:%M:%SZ', updated / 1000, 'unixepoch') AS updated
FROM streams ORDER BY node, tenant, name;
CREATE VIEW history AS
SELECT streams.node, streams.tenant, streams.name, seq,
       strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') AS at, summary, detail
FROM attempts JOIN streams ON streams.id = attempts.stream ORDER BY attempts.id;
