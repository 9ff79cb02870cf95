import pg from 'pg';

/**
 * Named points inside the transactions of a load and of a publication, where a test can make them
 * wait: triggers of the test's own database that take an advisory lock of the hour.
 *
 * `copied`: the cells of a generation are copied, its row is not written; `loaded`: everything is
 * written, its COMMIT is on the way; `locked`: a publication holds the head, no pointer is written;
 * `published`: everything is written, its COMMIT is on the way.
 */
const CLASSES = { copied: 90_001, loaded: 90_002, locked: 90_003, published: 90_004 } as const;
export type Gate = keyof typeof CLASSES;

/** Where every session of a worker begins: it has sent nothing yet. */
const DOOR = 90_005;
const WORKER = 'truecount worker';

const DEFERRED = 'deferrable initially deferred';
const INSTALL = `
  create function test_gate_key(hour timestamptz) returns integer language sql immutable as
    $$ select (extract(epoch from hour) / 3600)::integer $$;
  create function test_gate() returns trigger language plpgsql as $$
  begin
    perform pg_advisory_xact_lock_shared(tg_argv[0]::integer, test_gate_key(new.hour));
    return new;
  end $$;
  create trigger gate_copied before insert on generations
    for each row execute function test_gate('${String(CLASSES.copied)}');
  create constraint trigger gate_loaded after insert on generations ${DEFERRED}
    for each row execute function test_gate('${String(CLASSES.loaded)}');
  create trigger gate_locked before insert on pointers
    for each row execute function test_gate('${String(CLASSES.locked)}');
  create constraint trigger gate_published after insert on pointers ${DEFERRED}
    for each row execute function test_gate('${String(CLASSES.published)}')`;

// A trigger on login runs before the first statement of a session (PostgreSQL 17).
const INSTALL_DOOR = `
  create function test_door() returns event_trigger language plpgsql as $$
  begin
    if current_setting('application_name') = '${WORKER}' then
      perform pg_advisory_xact_lock_shared(${String(DOOR)}, 0);
    end if;
  end $$;
  create event trigger door on login execute function test_door()`;

/** Opens and closes gates; all are open at first, and when Postgres has crashed. */
export class Gates {
  private constructor(
    private readonly pool: pg.Pool,
    private readonly url: string,
    private keeper: pg.Client,
  ) {}

  static async install(pool: pg.Pool, url: string): Promise<Gates> {
    await pool.query(INSTALL);
    return new Gates(pool, url, await openKeeper(url));
  }

  /** So that new sessions of workers can be kept out; needs a superuser. */
  async installDoor(): Promise<void> {
    await this.pool.query(INSTALL_DOOR);
  }

  /** `openAll` opens it. */
  async closeDoor(): Promise<void> {
    await this.keeper.query('select pg_advisory_lock($1, 0)', [DOOR]);
  }

  /** Whether a session of a worker is being kept out. */
  async isAtDoor(): Promise<boolean> {
    const { rows } = await this.pool.query(
      `select from pg_locks l join pg_stat_activity a using (pid)
        where a.datname = current_database() and a.application_name = $1
          and l.locktype = 'advisory' and not l.granted and l.classid = $2 and a.query = ''`,
      [WORKER, DOOR],
    );
    return rows.length > 0;
  }

  async close(gate: Gate, hourMs: number): Promise<void> {
    await this.keeper.query('select pg_advisory_lock($1, test_gate_key($2))', [
      CLASSES[gate],
      new Date(hourMs),
    ]);
  }

  async open(gate: Gate, hourMs: number): Promise<void> {
    await this.keeper.query('select pg_advisory_unlock($1, test_gate_key($2))', [
      CLASSES[gate],
      new Date(hourMs),
    ]);
  }

  async openAll(): Promise<void> {
    await this.keeper.query('select pg_advisory_unlock_all()');
  }

  /** Whether a transaction stands at the gate. */
  async isReached(gate: Gate, hourMs: number): Promise<boolean> {
    const { rows } = await this.pool.query(
      `select from pg_locks join pg_database d on d.oid = database
        where d.datname = current_database() and locktype = 'advisory' and not granted
          and classid = $1 and objid = test_gate_key($2)`,
      [CLASSES[gate], new Date(hourMs)],
    );
    return rows.length > 0;
  }

  /** After a crash of Postgres. */
  async renew(): Promise<void> {
    await this.end();
    this.keeper = await openKeeper(this.url);
  }

  async end(): Promise<void> {
    await this.keeper.end().catch(() => undefined);
  }
}

async function openKeeper(url: string): Promise<pg.Client> {
  const keeper = new pg.Client({ connectionString: url, application_name: 'test-gates' });
  keeper.on('error', () => undefined);
  await keeper.connect();
  return keeper;
}
