import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, expect, it } from 'vitest';
import { kafkaClientOptions } from '../../runtime/kafka-options.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { loadConfig, type ConfigInputs } from '../../runtime/config.js';
import { asEnvironment, describeConfig } from '../../runtime/describe-config.js';
import { writeState } from '../../runtime/stack/state.js';
import { processRef } from '../../runtime/stack/process.js';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'truecount-config-'));
});

function load(inputs: ConfigInputs = {}): ReturnType<typeof loadConfig> {
  return loadConfig({ cwd, env: {}, ...inputs });
}

function yaml(text: string): string {
  const file = join(cwd, 'truecount.yaml');
  writeFileSync(file, text);
  return file;
}

it('takes a flag before the environment, that before the file, that before the default', () => {
  const file = yaml('stream: {workers: 3, graceMs: 7}\npartitions: 8\n');
  const env = { TRUECOUNT_STREAM_WORKERS: '4', TRUECOUNT_STREAM_GRACE_MS: '9' };
  const { config, sources } = load({ env, flags: { 'stream.workers': '5' } });
  expect(config.stream.workers).toBe(5);
  expect(config.stream.graceMs).toBe(9);
  expect(config.partitions).toBe(8);
  expect(config.stream.flushIntervalMs).toBe(1_000);
  expect(sources.get('stream.workers')?.kind).toBe('flag');
  expect(sources.get('stream.graceMs')).toEqual({
    kind: 'environment',
    name: 'TRUECOUNT_STREAM_GRACE_MS',
  });
  expect(sources.get('partitions')).toEqual({ kind: 'file', name: file });
  expect(sources.get('stream.flushIntervalMs')?.kind).toBe('default');
});

it('takes the addresses of a running stack only where nobody set one', () => {
  const self = processRef(process.pid);
  if (self === undefined) throw new Error('this process is not found');
  const component = (address: string) => ({ process: self, address });
  writeState(join(cwd, '.truecount'), {
    version: 1,
    supervisor: null,
    components: { postgres: component('postgres://a@b/c'), kafka: component('k:1') },
    services: [],
  });
  const { config } = load({ env: { TRUECOUNT_KAFKA_BROKERS: 'mine:9092, mine:9093' } });
  expect(config.postgresUrl).toBe('postgres://a@b/c');
  expect(config.kafka.brokers).toEqual(['mine:9092', 'mine:9093']);
  expect(load({ useStack: false }).config.postgresUrl).toBeUndefined();
});

it('does not take the address of a process that is gone, even if its pid is used again', () => {
  const dead = { pid: process.pid, started: 'at another time' };
  writeState(join(cwd, '.truecount'), {
    version: 1,
    supervisor: null,
    components: { postgres: { process: dead, address: 'postgres://a@b/c' } },
    services: [],
  });
  expect(load().config.postgresUrl).toBeUndefined();
});

it('names the nearest setting where a key is unknown', () => {
  yaml('stream: {flushIntervallMs: 3}\n');
  expect(() => load()).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      message: 'there is no setting stream.flushIntervallMs',
      hint: 'did you mean stream.flushIntervalMs?',
    }) as Error,
  );
});

it.each([
  ['TRUECOUNT_API_PORT', 'tcp://10.0.0.1:80'],
  ['TRUECOUNT_API_PORT', '65536'],
  ['TRUECOUNT_STREAM_WORKERS', '1.5'],
  ['TRUECOUNT_STREAM_WORKERS', '0'],
  ['TRUECOUNT_KAFKA_TLS_ENABLED', 'perhaps'],
  ['TRUECOUNT_KAFKA_SASL_MECHANISM', 'gssapi'],
  ['TRUECOUNT_TOPICS', ','],
  ['TRUECOUNT_SETTLE_INTERVAL_MS', '2147483648'],
  ['TRUECOUNT_STREAM_FLUSH_INTERVAL_MS', '2147483648'],
])('refuses %s=%s and says where it came from', (name, value) => {
  expect(() => load({ env: { [name]: value } })).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      message: expect.stringContaining(`from ${name}`) as string,
    }) as Error,
  );
});

it('refuses a file that is named and absent, that is no YAML, or that is no mapping', () => {
  expect(() => load({ file: 'absent.yaml' })).toThrow(/absent\.yaml/);
  yaml('a: [');
  expect(() => load()).toThrow(/no YAML/);
  yaml('- a\n');
  expect(() => load()).toThrow(/no mapping/);
});

it('refuses files that are not UTF-8, with the line and without what is in them', () => {
  const file = join(cwd, 'latin');
  writeFileSync(file, Buffer.from('kafka:\n  clientId: caf\xe9\n', 'latin1'));
  const refused = (line: number) =>
    expect.objectContaining({
      code: 'invalid_config',
      message: expect.stringMatching(
        new RegExp(`: ${file}, line ${String(line)}: is not UTF-8$`),
      ) as string,
    }) as Error;
  expect(() => load({ file })).toThrow(refused(2));
  expect(() => load({ env: { TRUECOUNT_KAFKA_SASL_PASSWORD_FILE: file } })).toThrow(refused(2));
});

it('reads a secret from a file, and shows no secret', () => {
  const file = join(cwd, 'secret');
  writeFileSync(file, 'hunter2\n');
  const env = {
    TRUECOUNT_KAFKA_SASL_PASSWORD_FILE: file,
    TRUECOUNT_POSTGRES_URL: 'postgres://me:hunter2@db:5432/x?sslmode=require',
  };
  const loaded = load({ env });
  expect(loaded.config.kafka.sasl.password).toBe('hunter2');
  const shown = describeConfig(loaded, env);
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(shown.settings.find(({ key }) => key === 'postgresUrl')?.value).toBe(
    'postgres://me:***@db:5432/x?sslmode=require',
  );
});

it('tells of a variable that looks like a setting and is none', () => {
  const { ignored } = describeConfig(load(), { TRUECOUNT_STREAM_WORKER: '3' });
  expect(ignored).toEqual([
    { name: 'TRUECOUNT_STREAM_WORKER', nearest: 'TRUECOUNT_STREAM_WORKERS' },
  ]);
});

it.each(['k1:with,comma', 'k1:with space', ' k1:padded'])(
  'refuses %j as a key of links: it would not be the same after the environment of a service',
  (key) => {
    yaml(`collect: {linkKeys: [${JSON.stringify(key)}]}\n`);
    const error = caught(() => load());
    expect(error).toMatchObject({ code: 'invalid_config' });
    expect(inspect(error)).not.toContain(key);
  },
);

it('is frozen all the way down', () => {
  const { config } = load();
  expect(() => Object.assign(config.stream, { workers: 9 })).toThrow(TypeError);
  expect(() => (config.topics as string[]).push('x')).toThrow(TypeError);
});

it('gives the same settings again from its own environment', () => {
  const env = {
    TRUECOUNT_KAFKA_BROKERS: 'a:1,b:2',
    TRUECOUNT_KAFKA_TLS_ENABLED: 'true',
    TRUECOUNT_TOPICS: 'x,y',
    TRUECOUNT_COLLECT_LINK_KEYS: 'k1:one,k2:two',
  };
  const first = load({ env, flags: { 'stream.workers': 7 } }).config;
  expect(load({ env: asEnvironment(first) }).config).toEqual(first);
});

it('passes TLS and SASL on to the Kafka client', () => {
  const ca = join(cwd, 'ca.pem');
  writeFileSync(ca, 'PEM');
  const flags = {
    'kafka.brokers': 'k:9093',
    'kafka.tls.enabled': true,
    'kafka.tls.caFile': ca,
    'kafka.sasl.mechanism': 'scram-sha-512',
    'kafka.sasl.username': 'me',
    'kafka.sasl.password': 'pw',
  };
  expect(kafkaClientOptions(load({ flags }).config)).toEqual({
    clientId: 'truecount',
    brokers: ['k:9093'],
    ssl: { ca: 'PEM' },
    sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'pw' },
  });
});

it('says what to set where an address is not known, or SASL has no password', () => {
  const { config } = load();
  expect(() => kafkaClientOptions(config)).toThrow(
    expect.objectContaining({ code: 'dependency_unreachable' }) as Error,
  );
  expect(() => postgresPoolOptions(config)).toThrow(
    expect.objectContaining({ code: 'dependency_unreachable' }) as Error,
  );
  const flags = { 'kafka.brokers': 'k:1', 'kafka.sasl.mechanism': 'plain' };
  expect(() => kafkaClientOptions(load({ flags }).config)).toThrow(/needs a user/);
});

it.each([
  ['is malformed', 'postgres://truecount:canary@[db/clicks', /Invalid URL/],
  ['names a file that is not there', 'postgres://t:canary@db/x?sslrootcert=/no/ca', /\/no\/ca/],
])('refuses a Postgres URL that %s, without its password', (_, url, says) => {
  const { config } = load({ env: { TRUECOUNT_POSTGRES_URL: url } });
  const error = caught(() => postgresPoolOptions(config));
  expect(error).toMatchObject({ code: 'invalid_config' });
  expect(inspect(error)).toMatch(says);
  expect(inspect(error)).not.toContain('canary');
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
