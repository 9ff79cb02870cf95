import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { loadConfig } from '../../runtime/config.js';
import { describeConfig } from '../../runtime/describe-config.js';
import { packageFile } from '../../runtime/package-root.js';
import { onPath } from '../../runtime/stack/temporal-binary.js';
import { problemWith } from '../repo/commands.js';
import { skipUnless } from '../support/skip-unless.js';
import {
  dockerfile,
  installed,
  kubernetes,
  linked,
  only,
  optionOf,
  systemdUnit,
  unitEnvironment,
} from './support/deploy.js';

const HOW_TO = readFileSync(packageFile('docs/how-to/tail-logs.md'), 'utf8');
const PACKAGE = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
  name: string;
  version: string;
  bin: Record<string, string>;
  files: string[];
};

/** Every variable is a setting, and its value is one that the setting takes. */
function expectSettings(env: Record<string, string>): ReturnType<typeof loadConfig>['config'] {
  const loaded = loadConfig({ env, cwd: '/nowhere', useStack: false });
  expect(describeConfig(loaded, env).ignored).toEqual([]);
  expect(loaded.config.kafka.brokers).toEqual(['kafka-1:9092', 'kafka-2:9092']);
  expect(loaded.config.topics).toEqual(['clicks']);
  return loaded.config;
}

describe('examples/deploy/truecount-tail.service', () => {
  const { text, keys } = systemdUnit();
  const [program = '', ...args] = only(keys, 'Service.ExecStart').split(' ');

  it('calls the program of the one file, with options and settings that exist', async () => {
    // By the name that the package gives it: the command lines of the documents fit both.
    expect(program).toBe(`/usr/bin/${Object.keys(PACKAGE.bin)[0]!}`);
    // Not the file itself: Node may take one without `.mjs` for something else, and do nothing.
    const { from, to } = linked(text);
    expect([from, extname(to)]).toEqual([program, '.mjs']);
    expect(installed(text).get(to)).toBe('dist/truecount-tail.mjs');
    expect(await problemWith(['truecount', ...args].join(' '))).toBeUndefined();
    const config = expectSettings(unitEnvironment(keys));
    expect(config.home).toBe(`/var/lib/${only(keys, 'Service.StateDirectory')}`);
    expect(only(keys, 'Service.WorkingDirectory')).toBe(config.home);
  });

  it('leaves the time that a clean stop may take', () => {
    const { config } = loadConfig({ env: {}, useStack: false });
    const seconds = Number(only(keys, 'Service.TimeoutStopSec'));
    expect(seconds * 1000).toBeGreaterThan(config.stream.shutdownTimeoutMs);
    expect(only(keys, 'Service.KillSignal')).toBe('SIGTERM');
  });

  it('names settings, files and users that are there, or says how they come there', () => {
    const [, secretFile] = /(TRUECOUNT_\w+_FILE)=%d/.exec(text) ?? [];
    const known = describeConfig(loadConfig({ env: {}, useStack: false }), {
      [secretFile!]: '/x',
    });
    expect(known.ignored).toEqual([]);
    const [, page] = /^file:\/\/(.*)$/.exec(only(keys, 'Unit.Documentation')) ?? [];
    for (const path of [page!, optionOf(args, '--mapping')]) {
      const from = installed(text).get(path);
      expect(from, path).toBeDefined();
      expect(existsSync(packageFile(from!)), from).toBe(true);
      expect(PACKAGE.files).toContain(from!.split('/')[0]);
    }
    const head = text.slice(0, text.indexOf('[Unit]'));
    expect(head).toMatch(new RegExp(`useradd .* ${only(keys, 'Service.User')}\\b`));
  });

  const itByAnalyze = skipUnless(
    onPath('systemd-analyze') !== undefined,
    'systemd-analyze is not on this machine',
  );
  itByAnalyze('is a unit without errors to systemd-analyze', () => {
    const folder = mkdtempSync(join(tmpdir(), 'truecount-unit-'));
    try {
      // The programs and pages of the package are not installed where the tests run.
      const file = join(folder, 'truecount-tail.service');
      writeFileSync(file, text.replace(`ExecStart=${program}`, `ExecStart=${process.execPath}`));
      const { status, stdout, stderr } = spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', file],
        { encoding: 'utf8' },
      );
      expect(`${stdout}${stderr}`).toBe('');
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('examples/deploy/tail-daemonset.yaml', () => {
  const { configMap, daemonSet, container } = kubernetes();
  const { metadata, spec } = daemonSet.spec.template;

  it('runs the image of tail.Dockerfile: the one file under the name of the program', () => {
    const { FROM, COPY, RUN, USER, ENTRYPOINT } = dockerfile();
    const image = `${PACKAGE.name}-tail:${PACKAGE.version}`;
    expect(container.image.endsWith(`/${image}`)).toBe(true);
    const text = readFileSync(packageFile('examples/deploy/tail.Dockerfile'), 'utf8');
    expect(text).toContain(`-t ${container.image} dist\n`);
    expect(Number(/^node:(\d+)-/.exec(FROM!)?.[1])).toBeGreaterThan(20);
    const { from, to } = linked(RUN!);
    expect(from).toBe(`/usr/local/bin/${container.command[0]!}`);
    expect(COPY).toBe(`${basename(to)} ${dirname(to)}/`);
    expect(basename(to)).toBe('truecount-tail.mjs');
    expect(statSync(packageFile('dist/truecount-tail.mjs')).mode & 0o111).toBe(0o111);
    const { runAsUser, runAsGroup } = spec.securityContext;
    expect(USER).toBe(`${String(runAsUser)}:${String(runAsGroup)}`);
    expect(JSON.parse(ENTRYPOINT!)).toEqual(container.command);
  });

  it('calls a program that there is, with options and settings that exist', async () => {
    expect(container.command).toEqual(Object.keys(PACKAGE.bin));
    const words = container.args.flatMap((arg) => arg.split('='));
    expect(await problemWith(`truecount ${words.join(' ')}`)).toBeUndefined();
    const given = container.env.filter(({ name }) => name.startsWith('TRUECOUNT_'));
    expectSettings(Object.fromEntries(given.map(({ name, value }) => [name, value!])));
    const used = [...container.args.join(' ').matchAll(/\$\((\w+)\)/g)].map(([, name]) => name);
    expect(used).toEqual(['NODE_NAME']);
    expect(container.env.map(({ name }) => name)).toEqual(expect.arrayContaining(used));
  });

  it('mounts what the arguments name, and writes only where it may', () => {
    const mountOf = (path: string) =>
      container.volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const home = container.env.find(({ name }) => name === 'TRUECOUNT_HOME')?.value;
    expect(mountOf(container.args[1]!)).toMatchObject({ name: 'logs', readOnly: true });
    expect(mountOf(optionOf(container.args, '--state'))).toEqual({
      name: 'state',
      mountPath: home,
    });
    const mapping = optionOf(container.args, '--mapping');
    expect(mountOf(mapping)?.name).toBe('mapping');
    const fromMap = spec.volumes.find(({ name }) => name === 'mapping')?.configMap?.name;
    expect(fromMap).toBe(configMap.metadata.name);
    parseMapping(configMap.data[mapping.split('/').at(-1)!]!, 'mapping.yaml');
    const mounts = [...container.volumeMounts, ...spec.initContainers[0]!.volumeMounts];
    const names = new Set(mounts.map(({ name }) => name));
    expect([...names].sort()).toEqual(spec.volumes.map(({ name }) => name).sort());
  });

  it('agrees with itself and with the how-to about ports, probes and labels', () => {
    const port = optionOf(container.args, '--metrics-port');
    expect(container.ports).toEqual([{ name: 'metrics', containerPort: Number(port) }]);
    expect(metadata.annotations['prometheus.io/port']).toBe(port);
    expect(only(systemdUnit().keys, 'Service.ExecStart')).toContain(`--metrics-port ${port}`);
    expect(HOW_TO).toContain(`port ${port}`);
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
      expect(httpGet.port).toBe('metrics');
      expect(HOW_TO).toContain(`\`${httpGet.path}\``);
    }
    expect(metadata.labels).toMatchObject(daemonSet.spec.selector.matchLabels);
    const { config } = loadConfig({ env: {}, useStack: false });
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(
      config.stream.shutdownTimeoutMs,
    );
  });
});
