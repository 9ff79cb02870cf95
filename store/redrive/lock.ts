import type pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import { formatTime } from '../../core/range.js';
import { readRow, readRows } from '../read/connection.js';

/** Key of the advisory lock that one redrive holds (arbitrary, but for ever the same). */
const LOCK_KEY = '7263486152002';

const TAKE = `
  select pg_try_advisory_lock($1) as taken,
         set_config('application_name', 'truecount redrive by ' || $2, false)`;

const HOLDER = `
  select a.pid, a.application_name as name, a.backend_start as since
    from pg_locks l join pg_stat_activity a using (pid)
   where l.locktype = 'advisory' and l.granted and l.objsubid = 1
     and l.database = (select oid from pg_database where datname = current_database())
     and (l.classid::bigint << 32 | l.objid::bigint) = $1::bigint`;

interface Holder {
  pid: number;
  name: string | null;
  since: Date | null;
}

/**
 * Makes the session the only one that redrives, until it ends: between reading what became of a
 * record and noting what is about to become of it, nobody else may. Whoever holds it reads and notes
 * in this session alone, so one that is lost ends the run before it notes more. What it noted before
 * it may still send; others see that by the notes, and leave it to its mapping.
 * @throws TruecountError `conflict` naming the session that redrives; those of a read
 */
export async function becomeOnlyRedrive(client: pg.ClientBase, actor: string): Promise<void> {
  const values = [LOCK_KEY, actor];
  const { taken } = await readRow<{ taken: boolean }>(client, 'redrive-lock', TAKE, values);
  if (taken) return;
  const [holder] = await readRows<Holder>(client, 'redrive-holder', HOLDER, [LOCK_KEY]);
  if (holder === undefined) {
    throw new TruecountError('conflict', 'another redrive was running until now', {
      hint: 'run it again',
    });
  }
  const { pid, name, since } = holder;
  const from = since === null ? '' : ` since ${formatTime(since.getTime())}`;
  const who = name === null || name === '' ? '' : `${name}, `;
  throw new TruecountError(
    'conflict',
    `another redrive is running: ${who}Postgres session ${String(pid)}${from}`,
    {
      hint:
        'wait until it is done. One that hangs: end its process; if the session stays, ' +
        `select pg_terminate_backend(${String(pid)})`,
      context: { pid },
    },
  );
}
