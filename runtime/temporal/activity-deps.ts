import pg from 'pg';
import type { ActivityDeps } from '../../activities/deps.js';
import type { TaskRunner } from '../../batch/runner.js';
import { openLake } from '../../lake/open.js';
import { LONG_SESSION_LIMITS } from '../../store/generations/limits.js';
import { openSession } from '../../store/session.js';
import type { Config } from '../config.js';
import { kafkaClientOptions } from '../kafka-options.js';
import { postgresPoolOptions } from '../postgres-options.js';
import { assertCommitted, readLogEnds } from '../log-end.js';

/** What activities work with, as configured. */
export function activityDeps(
  config: Config,
  tasks: TaskRunner,
  alerted: ActivityDeps['alerted'],
): ActivityDeps {
  const { connectionString = '' } = postgresPoolOptions(config);
  const connection = { connectionString };
  const session: ActivityDeps['session'] = async (use) => {
    const client = await openSession({ connection, applicationName: 'truecount worker' });
    try {
      return await use(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  return {
    session,
    longSession: (signal, use) => longSession(connection, signal, use),
    tasks,
    lake: openLake(config.lakeUrl),
    log: {
      async ends() {
        const ends = await readLogEnds(kafkaClientOptions(config), config.topics);
        return ends.map(({ topic, partition, endOffset: nextOffset }) => ({
          topic,
          partition,
          nextOffset,
        }));
      },
      assertCommitted: (ends) =>
        session((client) =>
          assertCommitted(
            client,
            ends.map(({ topic, partition, nextOffset: endOffset }) => ({
              topic,
              partition,
              endOffset,
            })),
          ),
        ),
    },
    batch: { rowsPerTaskMin: config.batch.rowsPerTaskMin },
    reconcile: config.reconcile,
    alerted,
    settle: config.settle,
  };
}

/** The server goes on with a statement whose client is gone: it is told to cancel it. */
async function longSession<T>(
  connection: pg.ClientConfig,
  signal: AbortSignal,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await openSession({
    connection,
    applicationName: 'truecount worker',
    limits: LONG_SESSION_LIMITS,
  });
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const cancel = (): void => {
    void cancelBackend(connection, rows[0]!.pid);
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    return await use(client);
  } finally {
    signal.removeEventListener('abort', cancel);
    await client.end().catch(() => undefined);
  }
}

async function cancelBackend(connection: pg.ClientConfig, pid: number): Promise<void> {
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select pg_cancel_backend($1)', [pid]);
  } catch {
    // The transaction's own limit ends it.
  } finally {
    await client.end().catch(() => undefined);
  }
}
