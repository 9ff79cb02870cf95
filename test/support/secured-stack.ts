import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { writeRecord, type Running } from '../../runtime/stack/component.js';
import { javaCommand, kafkaJars } from '../../runtime/stack/kafka-jars.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { freePort } from '../../runtime/stack/ports.js';
import { startPostgres } from '../../runtime/stack/postgres.js';
import { postgresUser } from '../../runtime/stack/run-as.js';
import { runTool } from '../../runtime/stack/tool.js';

/** A certificate authority and what it signed for 127.0.0.1 and localhost, as PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes them with `openssl` of PATH, valid for two days. */
export function makeCertificates(dir: string): Certificates {
  mkdirSync(dir, { recursive: true });
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, ...words('-keyout ca.key -out ca.pem -subj /CN=ca -days 2'));
  openssl('req', ...newKey, ...words('-keyout server.key -out server.csr -subj /CN=localhost'));
  writeFileSync(join(dir, 'names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  openssl(
    ...words('x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial'),
    ...words('-out server.pem -days 2 -extfile names.cnf'),
  );
  const file = (name: string): string => join(dir, name);
  return { ca: file('ca.pem'), cert: file('server.pem'), key: file('server.key') };
}

/** A user name and password that a server knows. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * A broker whose second listener (`secured`, host:port) speaks TLS and asks for SASL, PLAIN or
 * SCRAM-SHA-256; the first is plain, for setting up.
 */
export async function startSecuredKafka(
  dir: string,
  certificates: Certificates,
  login: Login,
): Promise<{ broker: Running; secured: string }> {
  const [port, controller, secured] = [await freePort(), await freePort(), await freePort()];
  mkdirSync(dir, { recursive: true });
  // As if it had run on these ports before: the listeners below have to name them.
  writeRecord(dir, { process: null, ports: [port, controller] });
  const keystore = join(dir, 'keystore.pem');
  const { key, cert } = certificates;
  writeFileSync(keystore, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'), { mode: 0o600 });
  const at = (name: string, number: number): string => `${name}://127.0.0.1:${String(number)}`;
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule';
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  const outside = [at('PLAINTEXT', port), at('SECURED', secured)].join(',');
  const broker = await startKafka({
    dir,
    settings: {
      listeners: `${outside},${at('CONTROLLER', controller)}`,
      'advertised.listeners': outside,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
      'listener.name.secured.ssl.keystore.type': 'PEM',
      'listener.name.secured.ssl.keystore.location': keystore,
      'listener.name.secured.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
      'listener.name.secured.plain.sasl.jaas.config': `${plain} required user_${login.user}="${login.password}";`,
      'listener.name.secured.scram-sha-256.sasl.jaas.config': `${scram} required;`,
    },
  });
  try {
    await addScramUser(broker.address, login);
  } catch (error) {
    await broker.stop();
    throw error;
  }
  return { broker, secured: `127.0.0.1:${String(secured)}` };
}

async function addScramUser(bootstrap: string, { user, password }: Login): Promise<void> {
  const jars = await kafkaJars(() => undefined);
  const change = ['--alter', '--add-config', `SCRAM-SHA-256=[password=${password}]`];
  await runTool(
    'kafka',
    javaCommand(),
    [
      ...['-cp', `${jars}/*`, 'kafka.admin.ConfigCommand', '--bootstrap-server', bootstrap],
      ...[...change, '--entity-type', 'users', '--entity-name', user],
    ],
    { log: () => undefined },
  );
}

/**
 * A server that lets `login` in through TLS only, to a database `clicks` of its own. `secured` is
 * host:port; the address of the server itself is a superuser's, without TLS.
 */
export async function startSecuredPostgres(
  dir: string,
  certificates: Certificates,
  login: Login,
): Promise<{ server: Running; secured: string }> {
  mkdirSync(dir, { recursive: true });
  const own = (name: string): string => join(dir, name);
  copyFileSync(certificates.cert, own('server.pem'));
  copyFileSync(certificates.key, own('server.key'));
  writeFileSync(
    own('hba.conf'),
    `hostssl all ${login.user} 127.0.0.1/32 scram-sha-256
host all ${login.user} all reject
host all all 127.0.0.1/32 scram-sha-256\n`,
  );
  const owner = postgresUser();
  for (const name of ['server.pem', 'server.key', 'hba.conf']) {
    chmodSync(own(name), 0o600); // PostgreSQL takes no key that others may read
    if (owner !== undefined) chownSync(own(name), owner.uid, owner.gid);
  }
  const server = await startPostgres({
    dir,
    settings: {
      ssl: 'on',
      ssl_cert_file: own('server.pem'),
      ssl_key_file: own('server.key'),
      hba_file: own('hba.conf'),
      fsync: 'off',
    },
  });
  const admin = new pg.Client({ connectionString: server.address });
  await admin.connect();
  try {
    const { user, password } = login;
    await admin.query(`create role ${user} login password ${pg.escapeLiteral(password)}`);
    await admin.query(`create database clicks owner ${user}`);
  } finally {
    await admin.end();
  }
  return { server, secured: new URL(server.address).host };
}

function words(text: string): string[] {
  return text.split(' ');
}
