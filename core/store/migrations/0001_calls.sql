-- Runs of the engine, calls, and what allowed them to be dialled.
-- Times are microseconds since 1970, UTC. Texts that hold JSON say so in a CHECK.

CREATE TABLE engine_runs (
    run_id     TEXT PRIMARY KEY,
    app        TEXT NOT NULL,                   -- its application in Asterisk
    build      TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,                         -- unknown for a run that was killed
    how        TEXT NOT NULL DEFAULT 'running'  -- running, killed, or the reason it gave when it left
) STRICT;

CREATE INDEX engine_runs_of_app ON engine_runs (app, started_at);

-- One dial of one contact. `dialling` means the dial may have left: such an attempt is never dialled again.
CREATE TABLE attempts (
    attempt_id   TEXT PRIMARY KEY,
    call_id      TEXT NOT NULL,
    number       TEXT NOT NULL,
    line         TEXT NOT NULL,
    scenario     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('permitted', 'dialling', 'ended')),
    outcome      TEXT,
    permitted_at INTEGER NOT NULL,
    dialled_at   INTEGER,
    ended_at     INTEGER,
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK (state <> 'dialling' OR dialled_at IS NOT NULL)
) STRICT;

CREATE INDEX attempts_open ON attempts (state, permitted_at) WHERE state <> 'ended';
CREATE INDEX attempts_of_call ON attempts (call_id);
CREATE INDEX attempts_of_number ON attempts (number, permitted_at);

CREATE TRIGGER attempts_only_go_forward BEFORE UPDATE OF state ON attempts
WHEN (OLD.state = 'ended' AND NEW.state <> 'ended') OR (OLD.state = 'dialling' AND NEW.state = 'permitted')
BEGIN
    SELECT RAISE(ABORT, 'an attempt never goes back');
END;

CREATE TRIGGER attempts_keep_their_outcome BEFORE UPDATE OF outcome ON attempts
WHEN OLD.outcome IS NOT NULL AND NEW.outcome IS NOT OLD.outcome
BEGIN
    SELECT RAISE(ABORT, 'the outcome of an attempt is set once');
END;

-- The stored decision that allows one attempt.
CREATE TABLE permits (
    permit_id  TEXT PRIMARY KEY,
    attempt_id TEXT NOT NULL UNIQUE REFERENCES attempts (attempt_id),
    call_id    TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('manual', 'campaign', 'callback', 'retell', 'operator')),
    granted_by TEXT NOT NULL CHECK (granted_by <> ''),
    number     TEXT NOT NULL,
    line       TEXT NOT NULL,
    scenario   TEXT NOT NULL,
    decision   TEXT NOT NULL CHECK (json_valid(decision)),
    granted_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

CREATE INDEX permits_of_call ON permits (call_id);

CREATE TRIGGER permits_are_used_once BEFORE UPDATE OF used_at ON permits
WHEN OLD.used_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a permit is used once');
END;

CREATE TABLE calls (
    call_id          TEXT PRIMARY KEY,          -- sorts by time
    engine           TEXT NOT NULL,
    app              TEXT NOT NULL,
    engine_run       TEXT NOT NULL,
    direction        TEXT NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    scenario         TEXT NOT NULL,
    flow_hash        TEXT NOT NULL,
    number           TEXT NOT NULL,             -- E.164, or as it was dialled or shown
    line             TEXT NOT NULL,
    state            TEXT NOT NULL,
    outcome          TEXT,
    started_at       INTEGER NOT NULL,
    answered_at      INTEGER,
    ended_at         INTEGER,
    hangup_cause     INTEGER,
    dial_status      TEXT,
    bridge_id        TEXT,
    customer_channel TEXT,
    permit_id        TEXT REFERENCES permits (permit_id),
    attempt_id       TEXT REFERENCES attempts (attempt_id),
    error            TEXT,
    recordings       TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(recordings)),
    journal          TEXT,
    CHECK ((outcome IS NULL) = (ended_at IS NULL))
) STRICT;

CREATE INDEX calls_unfinished ON calls (engine) WHERE outcome IS NULL;
CREATE INDEX calls_of_number ON calls (number, started_at);

CREATE TRIGGER calls_keep_their_outcome BEFORE UPDATE OF outcome ON calls
WHEN OLD.outcome IS NOT NULL AND NEW.outcome IS NOT OLD.outcome
BEGIN
    SELECT RAISE(ABORT, 'the outcome of a call is set once');
END;

-- Where the conversation of a call stands: the newest state only, the journal has the way there.
CREATE TABLE flow_states (
    call_id TEXT PRIMARY KEY,
    seq     INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (json_valid(state)),
    at      INTEGER NOT NULL
) STRICT;
