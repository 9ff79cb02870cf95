import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { beforeAll, expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { workflowBundle } from '../../runtime/temporal/bundle.js';

const BYTES_MAX = 2_500_000;
let bundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  bundle = await bundleWorkflowCode({
    workflowsPath: packageFile('workflows', 'all.ts'),
    logger: new DefaultLogger('ERROR'),
  });
}, 60_000);

it('exports the workflow types that clients and histories name, and nothing else', async () => {
  const all = await import('../../workflows/all.js');
  expect(Object.keys(all).sort()).toEqual([
    'cutHour',
    'publishRange',
    'recomputeHour',
    'reconcileHour',
    'replayRange',
    'settleDueHours',
  ]);
});

/** Paths of modules as webpack names them in what it writes. */
function modulesOf(code: string): string[] {
  const names = [...code.matchAll(/^\/\*\*\*\/ "([^"]+)"/gm)].map((match) => match[1]!);
  return [...new Set(names)];
}

it('holds no Node module, and of the repository only workflows and core', () => {
  const modules = modulesOf(bundle.code);
  expect(modules.length).toBeGreaterThan(50);
  const builtin = modules.filter(
    (name) => name.startsWith('node:') || builtinModules.includes(name.replace(/^\.\//, '')),
  );
  expect(builtin).toEqual([]);
  const ours = modules.filter((name) => !name.includes('node_modules') && name.endsWith('.ts'));
  expect(ours.filter((name) => !/^\.\/(workflows|core)\//.test(name))).toEqual([]);
  const packages = modules.flatMap(
    (name) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1] ?? [],
  );
  expect([...new Set(packages)].sort()).toMatchInlineSnapshot(`
    [
      "@temporalio/common",
      "@temporalio/workflow",
      "long",
      "nexus-rpc",
    ]
  `);
});

it('stays small', () => {
  expect(bundle.code.length).toBeLessThan(BYTES_MAX);
});

it('is made once, and again when it is not of these sources', async () => {
  const { codePath } = (await workflowBundle()) as { codePath: string };
  const made = statSync(codePath);
  expect(await workflowBundle()).toEqual({ codePath });
  expect(statSync(codePath).ino).toBe(made.ino);
  const code = readFileSync(codePath, 'utf8');
  // Workers of other tests may be reading it.
  writeFileSync(`${codePath}.other`, code.replace(/^.*\n/, '// made of others\n'));
  renameSync(`${codePath}.other`, codePath);
  await workflowBundle();
  expect(firstLine(readFileSync(codePath, 'utf8'))).toBe(firstLine(code));
}, 30_000);

function firstLine(text: string): string {
  return text.slice(0, text.indexOf('\n'));
}
