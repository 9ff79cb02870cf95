import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createKafka } from '../kafka-client.js';
import {
  answers,
  launch,
  readRecord,
  runningProcess,
  untilReady,
  type Running,
  type StartOptions,
} from './component.js';
import { javaCommand, kafkaJars } from './kafka-jars.js';
import { freePort } from './ports.js';
import { end, type ProcessRef } from './process.js';
import { runTool } from './tool.js';

export interface KafkaOptions extends StartOptions {
  /** Broker settings over the usual ones. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Heap of the broker (default 512 MB). */
  readonly heapMegabytes?: number;
}

const SETTINGS: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  // The broker's clock stamps every record: old event times must not let retention delete them.
  'log.message.timestamp.type': 'LogAppendTime',
  'auto.create.topics.enable': 'false',
  // After a kill -9 the controller takes the broker back only when its old session has run out.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
};

/**
 * Starts a single Kafka 4.1 broker (KRaft) on a data folder under `dir`, formatted the first time,
 * or finds the one that runs there. `address` is its host:port. The lock file that a kill -9 leaves
 * is no obstacle: the lock itself went with the process.
 * @throws TruecountError `component_unavailable` without Java or Maven, or if it does not come up.
 */
export async function startKafka(options: KafkaOptions): Promise<Running> {
  const dir = resolve(options.dir);
  const log = options.log ?? (() => undefined);
  const record = readRecord(dir);
  const found = runningProcess(record);
  if (found !== undefined) {
    const broker = running(found, record.ports[0] ?? 0, true);
    if (await answers('kafka', dir, found, () => respond(broker.address))) return broker;
  }
  const jars = await kafkaJars(log);
  mkdirSync(dir, { recursive: true });
  const port = await freePort(record.ports[0]);
  const controller = await freePort(record.ports[1]);
  writeProperties(dir, port, controller, options.settings ?? {});
  if (!existsSync(join(dir, 'data', 'meta.properties'))) await format(dir, jars, log);
  const heap = `-Xmx${String(options.heapMegabytes ?? 512)}m`;
  const args = [heap, ...jvmArguments(dir, jars), 'kafka.Kafka', join(dir, 'server.properties')];
  const ref = await launch('kafka', dir, { command: javaCommand(), args }, [port, controller]);
  const broker = running(ref, port, false);
  await untilReady('kafka', dir, ref, () => respond(broker.address), 120_000);
  return broker;
}

function running(ref: ProcessRef, port: number, attached: boolean): Running {
  return {
    name: 'kafka',
    address: `127.0.0.1:${String(port)}`,
    pid: ref.pid,
    process: ref,
    attached,
    stop: () => end(ref, { deadlineMs: 20_000 }),
  };
}

function jvmArguments(dir: string, jars: string): string[] {
  return [
    '-server',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${join(dir, 'log4j2.properties')}`,
    '-cp',
    `${jars}/*`,
  ];
}

function writeProperties(
  dir: string,
  port: number,
  controller: number,
  more: Readonly<Record<string, string>>,
): void {
  const all: Record<string, string> = {
    ...SETTINGS,
    listeners: `PLAINTEXT://127.0.0.1:${String(port)},CONTROLLER://127.0.0.1:${String(controller)}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${String(port)}`,
    'controller.quorum.voters': `1@127.0.0.1:${String(controller)}`,
    'log.dirs': join(dir, 'data'),
    ...more,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  writeFileSync(join(dir, 'server.properties'), `${lines.join('\n')}\n`);
  writeFileSync(join(dir, 'log4j2.properties'), LOGGING);
}

const LOGGING = `appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601}{UTC} %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;

async function format(dir: string, jars: string, log: (line: string) => void): Promise<void> {
  log('kafka: making a data folder');
  rmSync(join(dir, 'data'), { recursive: true, force: true }); // half made, if at all
  // Like Kafka's own random ids: one that starts with a dash would be read as an option.
  const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
  const tool = [
    'kafka.tools.StorageTool',
    'format',
    '-t',
    id,
    '-c',
    join(dir, 'server.properties'),
  ];
  // It runs for a second: compiling well would take more of it than the work.
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  await runTool('kafka', javaCommand(), [...quick, ...jvmArguments(dir, jars), ...tool], {
    log: () => undefined,
  });
}

/** Whether the broker answers a metadata request. */
async function respond(address: string): Promise<boolean> {
  const kafka = createKafka({
    brokers: [address],
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers, controller } = await admin.describeCluster();
    return brokers.length > 0 && controller !== null;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
