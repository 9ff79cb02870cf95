import pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { DEFAULT_RULE_SET, type RuleSet } from '../core/rules/rule-set.js';
import {
  checkMigrations,
  migrate,
  readMigrations,
  type MigrationReport,
} from '../store/migrate.js';
import { writeReadingSettings } from '../store/reading-settings.js';
import { beginWithRuleSet } from '../store/rule-versions.js';
import type { Config } from './config.js';
import { postgresPoolOptions } from './postgres-options.js';
import { packageFile } from './package-root.js';
import { readRuleFile } from './rules/rule-file.js';

/** The migrations of this release. */
export function releaseMigrations(): ReturnType<typeof readMigrations> {
  return readMigrations(packageFile('db', 'migrations'));
}

/** The first rule set: the configured file, else the built-in one. */
export function configuredRuleSet(config: Config): RuleSet {
  const file = config.rulesFile;
  return file === undefined ? DEFAULT_RULE_SET : readRuleFile(file);
}

/**
 * Brings the schema up to date, then stores the first rule set, where there is none, and the reading
 * settings in force. Repeating it changes nothing.
 */
export async function prepareDatabase(config: Config): Promise<MigrationReport> {
  return withDatabase(config, async (client) => {
    const report = await migrate(client, releaseMigrations());
    await beginWithRuleSet(client, configuredRuleSet(config));
    const { outOfOrdernessMs, idleTimeoutMs, graceMs, sessionTimeoutMs } = config.stream;
    await writeReadingSettings(client, {
      outOfOrdernessMs,
      idleTimeoutMs,
      graceMs,
      leaseMs: sessionTimeoutMs,
      topics: config.topics,
    });
    return report;
  });
}

/** What the configured database has and lacks. */
export async function checkDatabase(config: Config): Promise<MigrationReport> {
  return withDatabase(config, (client) => checkMigrations(client, releaseMigrations()));
}

/**
 * One session on the configured database.
 * @throws TruecountError `dependency_unreachable` if there is none to be had.
 */
export async function withDatabase<T>(
  config: Config,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(postgresPoolOptions(config));
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    const why = cause instanceof Error && cause.message !== '' ? cause.message : String(cause);
    throw new TruecountError('dependency_unreachable', `Postgres does not answer: ${why}`, {
      hint: 'truecount doctor says what is wrong',
      cause,
    });
  }
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
