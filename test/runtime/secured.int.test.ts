import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { Running } from '../../runtime/stack/component.js';
import { onPath } from '../../runtime/stack/temporal-binary.js';
import { spawnTruecount, truecount, type Outcome } from '../support/command-line.js';
import {
  makeCertificates,
  startSecuredKafka,
  startSecuredPostgres,
} from '../support/secured-stack.js';
import { skipUnless } from '../support/skip-unless.js';
import { until } from '../support/until.js';

// docs/how-to/bring-your-own-stack.md: TLS and SASL, against servers that insist on them.
const PASSWORD = 'canary-right-4f1d';
const WRONG_PASSWORD = 'canary-wrong-9c2e';
/** A refusal comes well before the longest time that a client waits for one answer (30 s). */
const REFUSAL_MS = 12_000;

const HAS_OPENSSL = onPath('openssl') !== undefined;
const it = skipUnless(HAS_OPENSSL, 'no openssl to make certificates with');

let home: string;
let env: Record<string, string>;
let postgres: string;
let admin: string;
const started: Running[] = [];
let services: ChildProcess[] = [];
let printed = '';

beforeAll(async () => {
  if (!HAS_OPENSSL) return;
  home = mkdtempSync(join(tmpdir(), 'truecount-secured-'));
  const certificates = makeCertificates(join(home, 'certificates'));
  makeCertificates(join(home, 'other'));
  const login = { user: 'secured', password: PASSWORD };
  const kafka = await startSecuredKafka(join(home, 'kafka'), certificates, login);
  started.push(kafka.broker);
  const database = await startSecuredPostgres(join(home, 'postgres'), certificates, login);
  started.push(database.server);
  postgres = database.secured;
  admin = database.server.address;
  await createTopic(kafka.broker.address);
  writeFileSync(join(home, 'password'), `${PASSWORD}\n`);
  writeFileSync(join(home, 'wrong-password'), `${WRONG_PASSWORD}\n`);
  env = {
    TRUECOUNT_HOME: join(home, 'state'),
    TRUECOUNT_POSTGRES_URL: url(PASSWORD, `sslmode=verify-full&sslrootcert=${certificates.ca}`),
    TRUECOUNT_KAFKA_BROKERS: kafka.secured,
    TRUECOUNT_KAFKA_TLS_ENABLED: 'true',
    TRUECOUNT_KAFKA_TLS_CA_FILE: certificates.ca,
    TRUECOUNT_KAFKA_SASL_MECHANISM: 'scram-sha-256',
    TRUECOUNT_KAFKA_SASL_USERNAME: login.user,
    TRUECOUNT_KAFKA_SASL_PASSWORD_FILE: join(home, 'password'),
    TRUECOUNT_STREAM_FLUSH_INTERVAL_MS: '100',
    TRUECOUNT_LOG_LEVEL: 'debug',
  };
  printed += (await truecount(['migrate'], env)).stderr;
});

afterEach(async () => {
  for (const service of services) {
    if (service.exitCode === null && service.signalCode === null) {
      service.kill('SIGKILL');
      await once(service, 'close');
    }
  }
  services = [];
});

afterAll(async () => {
  for (const component of started.reverse()) await component.stop();
  if (HAS_OPENSSL) rmSync(home, { recursive: true, force: true });
});

function url(password: string, parameters: string): string {
  return `postgres://secured:${password}@${postgres}/clicks?${parameters}`;
}

async function createTopic(broker: string): Promise<void> {
  const client = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin();
  await client.connect();
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
  await client.createTopics({
    waitForLeaders: true,
    topics: [{ topic: 'clicks', numPartitions: 2, configEntries }],
  });
  await client.disconnect();
}

/** Runs the command line and keeps what it printed, for the search for passwords. */
async function run(args: string[], more: Record<string, string> = {}): Promise<Outcome> {
  const outcome = await truecount(args, { ...env, ...more });
  printed += outcome.stdout + outcome.stderr;
  return outcome;
}

it('counts clicks through TLS and SASL on both sides', async () => {
  expect(await run(['migrate', '--check'])).toMatchObject({ code: 0 });
  const timestamp = new Date().toISOString();
  const file = join(home, 'clicks.ndjson');
  const line = (id: string) => JSON.stringify({ event_id: id, ad_id: 'ad', timestamp });
  writeFileSync(file, `${['1', '2', '2', '3'].map(line).join('\n')}\n`);
  expect(await run(['ingest', file])).toMatchObject({ code: 0 });
  const again = await run(['ingest', file], { TRUECOUNT_KAFKA_SASL_MECHANISM: 'plain' });
  expect(again).toMatchObject({ code: 0 });

  const stream = spawnTruecount(['run', 'stream'], env);
  services.push(stream);
  for (const output of [stream.stdout, stream.stderr]) {
    output?.on('data', (chunk: Buffer) => (printed += chunk.toString('utf8')));
  }
  const fromMs = Math.floor(Date.parse(timestamp) / 60_000) * 60_000;
  const range = [fromMs, fromMs + 60_000].map((ms) => new Date(ms).toISOString());
  const query = ['query', 'count', 'ad', '--from', range[0]!, '--to', range[1]!, '--json'];
  await until('the three clicks are counted', async () => {
    const answer = JSON.parse((await run(query)).stdout) as { count?: number };
    return answer.count === 3;
  });
  expect(await sessions()).toEqual([{ ssl: true }]);
  stream.kill('SIGTERM');
  if (stream.exitCode === null) await once(stream, 'close');
  expect(stream.exitCode).toBe(0);
  expect((await run(['status', '--json'])).stdout).toContain('"ok": true');
  expect((await run(['config'])).code).toBe(0);
  expect((await run(['doctor'])).stdout).toContain('kafka answers');
});

/** Whether the sessions of the user are encrypted, as the server sees them. */
async function sessions(): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: admin });
  await client.connect();
  try {
    const found = await client.query<{ ssl: boolean }>(
      `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid)
       where usename = 'secured'`,
    );
    return found.rows;
  } finally {
    await client.end();
  }
}

interface Refusal {
  readonly what: string;
  readonly verbs: readonly (readonly string[])[];
  readonly change: () => Record<string, string>;
  readonly says: RegExp;
}

const INGEST = ['ingest', '-'];
const STREAM = ['run', 'stream'];
const REFUSALS: readonly Refusal[] = [
  {
    what: 'Kafka: a wrong password',
    verbs: [INGEST, STREAM],
    change: () => ({ TRUECOUNT_KAFKA_SASL_PASSWORD_FILE: join(home, 'wrong-password') }),
    says: /Kafka.*authenticat/i,
  },
  {
    what: 'Kafka: a certificate of another authority',
    verbs: [INGEST, STREAM],
    change: () => ({ TRUECOUNT_KAFKA_TLS_CA_FILE: join(home, 'other', 'ca.pem') }),
    says: /Kafka.*certificate/i,
  },
  {
    what: 'Kafka: no TLS to a port of TLS',
    verbs: [INGEST, STREAM],
    change: () => ({ TRUECOUNT_KAFKA_TLS_ENABLED: 'false' }),
    says: /Kafka.*TLS/i,
  },
  {
    what: 'Postgres: a wrong password',
    verbs: [['migrate'], STREAM],
    change: () => ({
      TRUECOUNT_POSTGRES_URL: env['TRUECOUNT_POSTGRES_URL']!.replace(PASSWORD, WRONG_PASSWORD),
    }),
    says: /Postgres.*password authentication failed/,
  },
  {
    what: 'Postgres: a certificate of another authority',
    verbs: [['migrate'], STREAM],
    change: () => {
      const ca = join(home, 'other', 'ca.pem');
      return { TRUECOUNT_POSTGRES_URL: url(PASSWORD, `sslmode=verify-full&sslrootcert=${ca}`) };
    },
    says: /Postgres.*certificate/,
  },
  {
    what: 'Postgres: no TLS to a server that insists on it',
    verbs: [['migrate'], STREAM],
    change: () => ({ TRUECOUNT_POSTGRES_URL: url(PASSWORD, 'sslmode=disable') }),
    says: /Postgres.*no encryption/,
  },
];
for (const { what, verbs, change, says } of REFUSALS) {
  for (const verb of verbs) {
    it(`refuses within seconds, by ${verb.join(' ')}, ${what}`, async () => {
      const { code, output } = await runUntilRefused(verb, change());
      expect(output).toMatch(says);
      expect(code).toBe(5);
    });
  }
}

async function runUntilRefused(
  verb: readonly string[],
  change: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = spawnTruecount(verb, { ...env, ...change });
  services.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), REFUSAL_MS);
  await once(child, 'close');
  clearTimeout(timer);
  printed += output;
  return { code: child.exitCode, output };
}

it('prints no password, in whatever it said above', () => {
  expect(printed).toContain('verify-full'); // config and doctor did print the address
  expect(printed).not.toContain(PASSWORD);
  expect(printed).not.toContain(WRONG_PASSWORD);
});
