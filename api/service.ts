import { pino } from 'pino';
import { cannotListen } from '../core/cannot-listen.js';
import { TruecountError } from '../core/errors.js';
import type { Migration } from '../store/migrate.js';
import { openReadPool } from '../store/read/connection.js';
import { createApi, type ApiParts } from './app.js';

/** What the API takes from the configuration; the resolved settings of the runtime fit. */
export interface ApiSettings {
  readonly api: { readonly host: string; readonly port: number };
  readonly postgresUrl?: string | undefined;
  readonly postgresPoolSize: number;
  readonly logLevel: string;
}

export interface RunningApi {
  /** `http://127.0.0.1:8180` */
  readonly url: string;
  /** Answers what has been asked, then stops listening and closes the pool. */
  close(): Promise<void>;
}

/** What the API leaves to others; without one of them, what needs it is refused. */
export type ApiPorts = Pick<ApiParts, 'verifyCell' | 'replays' | 'putRules' | 'tryRules'>;

/** A question that runs longer is given up: it would hold a connection that others wait for. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** How long a question waits for a free connection, or for Postgres to answer at all. */
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Starts the query service. It starts without Postgres too, and answers 503 until it is there.
 * @throws TruecountError `invalid_config` without an address of Postgres, `conflict` where the port
 * is taken
 */
export async function startApi(
  settings: ApiSettings,
  migrations: readonly Migration[],
  ports: ApiPorts = {},
): Promise<RunningApi> {
  if (settings.postgresUrl === undefined) {
    throw new TruecountError('invalid_config', 'the API needs the address of Postgres', {
      hint: 'set TRUECOUNT_POSTGRES_URL, or start the stack with `truecount up`',
    });
  }
  const log = pino({ name: 'truecount-api', level: settings.logLevel }, pino.destination(2));
  const pool = openReadPool(
    {
      url: settings.postgresUrl,
      applicationName: 'truecount api',
      max: settings.postgresPoolSize,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    },
    (error) => {
      log.warn({ err: error }, 'an idle connection to Postgres broke');
    },
  );
  const api = await createApi({ pool, migrations, log, ...ports });
  const { host, port } = settings.api;
  const url = await api.listen({ host, port }).catch(async (cause: unknown) => {
    await api.close();
    await pool.end();
    throw cannotListen({ host, port }, 'api.port (TRUECOUNT_API_PORT)', cause);
  });
  warnOfOpenDoor(host, url, (text) => {
    log.warn(text);
  });
  return {
    url,
    close: async () => {
      await api.close();
      await pool.end();
    },
  };
}

function warnOfOpenDoor(host: string, url: string, warn: (text: string) => void): void {
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.');
  warn(
    local
      ? `there are no API keys yet: whoever reaches ${url} on this machine may read all ` +
          'counts, start replays and put rules in force'
      : `there are no API keys yet and ${url} is not only local: whoever reaches it may read all ` +
          'counts, start replays and put rules in force; set api.host to 127.0.0.1, or put a proxy ' +
          'with authentication before it',
  );
}
