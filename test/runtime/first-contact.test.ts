import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../runtime/config.js';
import { assertKafkaAccepts } from '../../runtime/kafka-contact.js';
import { assertPostgresAccepts } from '../../runtime/postgres-contact.js';

// What secured servers refuse is in secured.int.test.ts; here is what is waited for, and what not.
let server: Server;
let address: string;

beforeEach(async () => {
  server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});

afterEach(() => {
  server.close();
});

function config() {
  const TRUECOUNT_POSTGRES_URL = `postgres://truecount:canary@${address}/clicks`;
  const env = { TRUECOUNT_KAFKA_BROKERS: address, TRUECOUNT_POSTGRES_URL };
  return loadConfig({ env, cwd: '/' }).config;
}

it('lets a service wait for servers that are away', async () => {
  server.close();
  await once(server, 'close');
  await expect(assertKafkaAccepts(config())).resolves.toBeUndefined();
  await expect(assertPostgresAccepts(config())).resolves.toBeUndefined();
});

it('lets a service wait for a Postgres that closes connections while it restarts', async () => {
  await expect(assertPostgresAccepts(config())).resolves.toBeUndefined();
});

it('takes a broker that closes three connections for one that speaks another protocol', async () => {
  let connections = 0;
  server.on('connection', () => (connections += 1));
  await expect(assertKafkaAccepts(config())).rejects.toMatchObject({
    code: 'dependency_unreachable',
    message: expect.stringMatching(/closes the connection \(no TLS, no SASL\)/) as string,
  });
  expect(connections).toBe(3);
});

it('lets a service wait for a broker that closes a connection on its way down', async () => {
  server.once('connection', () => server.close());
  await expect(assertKafkaAccepts(config())).resolves.toBeUndefined();
});
