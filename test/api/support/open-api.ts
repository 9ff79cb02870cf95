import { packageFile } from '../../../runtime/package-root.js';
import { createApi } from '../../../api/app.js';
import type { Api } from '../../../api/type-provider.js';
import { openReadPool } from '../../../store/read/connection.js';
import { readMigrations } from '../../../store/migrate.js';
import { freshDatabase, type TestDatabase } from '../../support/stack.js';

export const MIGRATIONS = readMigrations(packageFile('db', 'migrations'));

/** An API on a database of its own, as the service makes it, but not listening. */
export async function openApi(): Promise<{
  api: Api;
  database: TestDatabase;
  close: () => Promise<void>;
}> {
  const database = await freshDatabase();
  const pool = openReadPool({
    url: database.url,
    applicationName: 'test api',
    max: 4,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 5_000,
  });
  const api = await createApi({ pool, migrations: MIGRATIONS });
  const close = async (): Promise<void> => {
    await api.close();
    await pool.end();
    await database.close();
  };
  return { api, database, close };
}

/** GET with each query parameter percent-encoded; the body parsed. */
export async function get(
  api: Api,
  path: string,
  query: Readonly<Record<string, string | number>> = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: unknown }> {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]) => [name, String(value)] as [string, string]),
  ).toString();
  const answer = await api.inject({
    method: 'GET',
    url: search === '' ? path : `${path}?${search}`,
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
}
