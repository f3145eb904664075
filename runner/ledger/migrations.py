"""The shape of the state file, as a list of migrations. Never edit one that has been released."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("runner")


@migrations()
def m001_jobs_events_runs(db: Database) -> None:
    """Jobs as they are, events as they came, runs, and the provider that the ids belong to."""
    db.execute(
        """
        CREATE TABLE jobs (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL,
            derived TEXT NOT NULL,
            position INTEGER,            -- place in the manifest; NULL when no longer in it
            status TEXT NOT NULL,
            task_id TEXT NOT NULL,
            attempts INTEGER NOT NULL,   -- paid submissions, those in doubt included
            spent INTEGER NOT NULL,      -- what they cost, in millionths of a unit
            cost INTEGER,                -- what one attempt costs, in millionths of a unit
            content TEXT NOT NULL,       -- digest of the paid content
            body TEXT NOT NULL,          -- the request, as JSON
            output TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            size INTEGER NOT NULL,
            remote_status TEXT NOT NULL,
            error_code TEXT,
            error_message TEXT,
            error_request_id TEXT,
            url TEXT NOT NULL,           -- a signed link, only until the video is home
            submitted_at REAL NOT NULL,  -- seconds since 1970, 0 for never
            since REAL NOT NULL,
            finished_at REAL NOT NULL
        )
        """
    )
    db.execute("CREATE INDEX jobs_by_status ON jobs (status, position)")
    db.execute("CREATE INDEX jobs_by_task ON jobs (task_id) WHERE task_id <> ''")
    db.execute(
        """
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            job INTEGER NOT NULL REFERENCES jobs (key),
            run INTEGER,
            at REAL NOT NULL,
            event TEXT NOT NULL,
            "from" TEXT NOT NULL,
            "to" TEXT NOT NULL,
            detail TEXT NOT NULL         -- JSON
        )
        """
    )
    db.execute("CREATE INDEX events_by_job ON events (job)")
    for change in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER events_no_{change.lower()} BEFORE {change} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )
    db.execute(
        """
        CREATE TABLE runs (
            run INTEGER PRIMARY KEY,
            command TEXT NOT NULL,
            version TEXT NOT NULL,
            manifest TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started_at REAL NOT NULL,
            ended_at REAL,
            reason TEXT,
            exit_code INTEGER
        )
        """
    )
    db.execute("CREATE TABLE origin (provider TEXT NOT NULL, base_url TEXT NOT NULL)")


@migrations()
def m002_memory(db: Database) -> None:
    """What runs learnt of the provider and the next run starts from, one JSON value a name."""
    db.execute("CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT NOT NULL)")


@migrations()
def m003_images(db: Database) -> None:
    """The images that were found well, so that they are not asked for again soon."""
    db.execute(
        """
        CREATE TABLE images (
            address TEXT PRIMARY KEY,    -- digest of it: an address may hold a signature
            at REAL NOT NULL,            -- when it was asked for
            picture TEXT NOT NULL        -- what it was, as JSON
        )
        """
    )


@migrations()
def m004_forgotten_archived(db: Database) -> None:
    """Jobs that nobody wants to see any more, and logs that were moved into an archive.

    What an archived log led to is the job; where more happens to it, the log that goes on needs
    its beginning. An event may be deleted only once it is on record as archived.
    """
    db.execute("ALTER TABLE jobs ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """
        CREATE TABLE archived (
            job INTEGER PRIMARY KEY REFERENCES jobs (key),
            through INTEGER NOT NULL,    -- the last event (seq) that is in the archive
            digest TEXT NOT NULL,        -- of what it led to: the job as it was then
            state TEXT                   -- that, as JSON, once something more has happened
        )
        """
    )
    db.execute("DROP TRIGGER events_no_delete")
    db.execute(
        """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        WHEN NOT EXISTS (SELECT 1 FROM archived WHERE job = old.job AND through >= old.seq)
        BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
        """
    )
