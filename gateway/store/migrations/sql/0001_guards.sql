-- Triggers that hold for every role, the owner included: what is evidence is appended, never rewritten.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are evidence and are only ever added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
    evidence text;
BEGIN
    FOREACH evidence IN ARRAY ARRAY['ledger_entry', 'ledger_checkpoint', 'release', 'decision'] LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION refuse_change()', evidence);
    END LOOP;
    FOREACH evidence IN ARRAY ARRAY['ledger_tile', 'assertion', 'plan_version', 'directive'] LOOP
        EXECUTE format('CREATE TRIGGER no_delete BEFORE DELETE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION refuse_change()', evidence);
    END LOOP;
    FOREACH evidence IN ARRAY ARRAY['ledger_pending', 'ledger_entry', 'ledger_checkpoint', 'ledger_tile', 'release',
                                    'decision', 'assertion', 'plan_version', 'directive'] LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', evidence);
    END LOOP;
END $$;

-- A tile grows on its right and nothing else (C2SP tlog-tiles): at most 256 hashes of 32 bytes.
CREATE FUNCTION extend_tile() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (NEW.level, NEW.idx) IS DISTINCT FROM (OLD.level, OLD.idx)
        OR substr(NEW.hashes, 1, length(OLD.hashes)) IS DISTINCT FROM OLD.hashes
    THEN
        RAISE EXCEPTION 'a tile is only ever extended' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_extended BEFORE UPDATE ON ledger_tile FOR EACH ROW EXECUTE FUNCTION extend_tile();
ALTER TABLE ledger_tile ADD CONSTRAINT ck_ledger_tile_whole_hashes
    CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0);

-- A pending row leaves by being sequenced, with the same leaf, and in no other way.
CREATE FUNCTION leave_pending() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'planhub_sequencer' AND EXISTS (
        SELECT FROM public.ledger_entry e
        WHERE e.pending_id = OLD.pending_id AND e.entry_id = OLD.entry_id AND e.leaf = OLD.leaf
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a pending entry leaves only by being sequenced' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_sequenced BEFORE UPDATE OR DELETE ON ledger_pending
    FOR EACH ROW EXECUTE FUNCTION leave_pending();

-- Numbers are gapless from 0: what is added starts where the log ended. And there is one path into the tree: whatever is
-- added waits in ledger_pending, exactly as it is added.
CREATE FUNCTION append_entries() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    added record;
BEGIN
    SELECT count(*) AS n, min(seq) AS first, max(seq) AS last INTO added FROM new_entries;
    IF added.n > 0 AND (
        added.last - added.first + 1 <> added.n
        OR (added.first > 0 AND NOT EXISTS (SELECT FROM public.ledger_entry e WHERE e.seq = added.first - 1))
        OR added.first < 0
    ) THEN
        RAISE EXCEPTION 'ledger numbers % to % leave a gap', added.first, added.last
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT FROM new_entries n
        LEFT JOIN public.ledger_pending p ON p.pending_id = n.pending_id AND p.entry_id = n.entry_id
            AND p.leaf = n.leaf AND p.body = n.body AND p.kind = n.kind AND p.at = n.at
            AND p.child_id IS NOT DISTINCT FROM n.child_id AND p.recipient IS NOT DISTINCT FROM n.recipient
            AND p.subject IS NOT DISTINCT FROM n.subject
        WHERE p.pending_id IS NULL
    ) THEN
        RAISE EXCEPTION 'an entry reaches the log by waiting for its number, as it is'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gapless AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION append_entries();

-- An assertion never changes; what may change is whether it still stands and whether the family disputes it.
CREATE FUNCTION keep_assertion() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    before public.assertion := NEW;
BEGIN
    before.status := OLD.status;
    before.quality := OLD.quality;
    IF before IS DISTINCT FROM OLD
        OR (NEW.status <> OLD.status AND NOT (OLD.status = 'current' AND NEW.status IN ('superseded', 'retracted')))
        OR (NEW.quality <> OLD.quality AND NEW.quality <> 'disputed')
    THEN
        RAISE EXCEPTION 'an assertion is immutable: a correction is a new one that supersedes it'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE ON assertion FOR EACH ROW EXECUTE FUNCTION keep_assertion();

-- A plan version never changes but for its status and when it became active.
CREATE FUNCTION keep_plan_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    before public.plan_version := NEW;
BEGIN
    before.status := OLD.status;
    before.activated_at := OLD.activated_at;
    IF before IS DISTINCT FROM OLD OR (OLD.activated_at IS NOT NULL AND NEW.activated_at IS DISTINCT FROM OLD.activated_at)
    THEN
        RAISE EXCEPTION 'a plan version is immutable: propose a new one' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE ON plan_version FOR EACH ROW EXECUTE FUNCTION keep_plan_version();

-- A directive is one sentence somebody signed. It can be ended, once; nothing else of it changes.
CREATE FUNCTION keep_directive() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    before public.directive := NEW;
BEGIN
    before.state := OLD.state;
    before.ended_at := OLD.ended_at;
    IF before IS DISTINCT FROM OLD OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'a directive is what was signed: end it and record a new one'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER immutable BEFORE UPDATE ON directive FOR EACH ROW EXECUTE FUNCTION keep_directive();

-- What is asked about when nobody knows the child meant: the same lock is taken and the same rows are not found.
INSERT INTO consent_epoch (child_id) VALUES ('00000000-0000-0000-0000-000000000000');
