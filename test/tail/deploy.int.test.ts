import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { hostname, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { freePort } from '../../runtime/stack/ports.js';
import { TopicWitness } from '../collect/support/collecting.js';
import { cleanEnvironment } from '../support/command-line.js';
import { freshTopic, kafkaBrokers } from '../support/stack.js';
import { until } from '../support/until.js';
import {
  kubernetes,
  linked,
  only,
  optionOf,
  systemdUnit,
  unitEnvironment,
} from './support/deploy.js';

// The command lines of examples/deploy as they are there, by the one file that they install, but with a
// folder before each path, with this Kafka and topic, and with a free port.
const MAPPING = kubernetes().configMap.data['mapping.yaml']!;
const LINES = [1, 2, 3].map(
  (n) =>
    `10.0.0.${String(n)} - - [21/Nov/2026:10:00:0${String(n)} +0000] "GET /ad-${String(n)} HTTP/1.1" 200 5 "-" "agent"\n`,
);

let root: string;
let topic: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'truecount-deploy-'));
  topic = await freshTopic(1);
});

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(root, { recursive: true, force: true });
});

interface Deployed {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Time that a stop may take. */
  readonly stopSeconds: number;
  readonly source: string;
}

function underRoot(path: string): string {
  const moved = join(root, path);
  mkdirSync(dirname(moved), { recursive: true });
  return moved;
}

function fromUnit(): Deployed {
  const { keys } = systemdUnit();
  const [, ...args] = only(keys, 'Service.ExecStart').replace('%H', hostname()).split(' ');
  const stopSeconds = Number(only(keys, 'Service.TimeoutStopSec'));
  return { args, env: unitEnvironment(keys), stopSeconds, source: hostname() };
}

function fromDaemonSet(): Deployed {
  const { container, daemonSet } = kubernetes();
  const args = container.args.flatMap((arg) =>
    arg.replace('$(NODE_NAME)', 'node-1').split(/=(.*)/s, 2),
  );
  const env = Object.fromEntries(container.env.map(({ name, value = 'node-1' }) => [name, value]));
  const stopSeconds = daemonSet.spec.template.spec.terminationGracePeriodSeconds;
  return { args, env, stopSeconds, source: 'node-1' };
}

it.each([
  ['the systemd unit', fromUnit],
  ['the DaemonSet', fromDaemonSet],
])('the command of %s follows a log, is ready, and ends in time', async (_, deployed) => {
  const { args, env, stopSeconds, source } = deployed();
  expect(optionOf(args, '--source')).toBe(source);
  const port = String(await freePort());
  const moved = args.map((arg, i) =>
    args[i - 1] === '--metrics-port' ? port : arg.startsWith('/') ? underRoot(arg) : arg,
  );
  const log = moved[1]!;
  writeFileSync(log, LINES.slice(0, 2).join(''));
  writeFileSync(optionOf(moved, '--mapping'), MAPPING);
  const home = underRoot(env['TRUECOUNT_HOME']!);
  mkdirSync(home, { recursive: true });
  const { from, to } = linked(systemdUnit().text);
  const [program, oneFile] = [underRoot(from), underRoot(to)];
  copyFileSync(packageFile('dist', 'truecount-tail.mjs'), oneFile);
  symlinkSync(relative(dirname(program), oneFile), program);
  child = spawn(program, moved, {
    cwd: home,
    env: cleanEnvironment({
      ...env,
      TRUECOUNT_HOME: home,
      TRUECOUNT_KAFKA_BROKERS: kafkaBrokers().join(','),
      TRUECOUNT_TOPICS: topic,
    }),
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  await until('it is ready', () =>
    answers(`${url}${kubernetes().container.readinessProbe.httpGet.path}`),
  );
  expect(await answers(`${url}${kubernetes().container.livenessProbe.httpGet.path}`)).toBe(true);
  writeFileSync(log, LINES[2]!, { flag: 'a' });
  const witness = await TopicWitness.open(kafkaBrokers(), topic);
  await until('all lines are on the topic', async () => (await witness.values()).length === 3);
  const ads = (await witness.values()).map(
    (value) => (JSON.parse(value) as { ad_id: string }).ad_id,
  );
  await witness.close();
  expect(ads).toEqual(['/ad-1', '/ad-2', '/ad-3']);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('truecount_tail_sent_total');

  const ended = once(child, 'exit');
  const startedMs = performance.now();
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(performance.now() - startedMs).toBeLessThan(stopSeconds * 1000);
  const written = filesBelow(root, [oneFile, log, optionOf(moved, '--mapping')]);
  expect(written.length).toBeGreaterThan(0);
  expect(written.filter((path) => !path.startsWith(`${home}/`))).toEqual([]);
});

async function answers(url: string): Promise<boolean> {
  return (await fetch(url).catch(() => undefined))?.status === 200;
}

/** Paths of all files but those. */
function filesBelow(folder: string, but: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !but.includes(path));
}
