import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { mayImport } from './may-import.js';

const ROOT = join(import.meta.dirname, '..', '..');

/** Which rule families a refusal may come from; anything else in a snippet is a mistake here. */
const RULES = ['no-restricted-imports', 'no-restricted-syntax', 'no-restricted-globals'];

// The repository's own configuration; only type information is off, since these files are not
// on disk.
const eslint = new ESLint({
  cwd: ROOT,
  overrideConfig: [
    {
      files: ['**/*.ts'],
      ...tseslint.configs.disableTypeChecked,
      languageOptions: { parserOptions: { projectService: false } },
    },
  ],
});

async function refusals(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: join(ROOT, file) });
  if (result === undefined) throw new Error(`${file} is ignored by eslint.config.mjs`);
  const fatal = result.messages.filter((message) => message.fatal === true);
  if (fatal.length > 0) throw new Error(`${file}: ${fatal[0]?.message ?? ''}`);
  return result.messages.map((m) => m.ruleId ?? '').filter((rule) => RULES.includes(rule));
}

const importing = (path: string) => `import { x } from '${path}';\nx();\n`;

const ALLOWED: [file: string, path: string][] = [
  ['core/rules/compile.ts', '../click/view.js'],
  ['core/rules/hash.ts', './canonical.js'],
  ['store/flush.ts', '../core/errors.js'],
  ['store/live/cells.ts', '../../core/time.js'],
  ['store/flush.ts', 'pg'],
  ['stream/worker.ts', '../core/time.js'],
  ['stream/worker.ts', '../store/flush.js'],
  ['stream/worker.ts', 'kafkajs'],
  ['ingest/send.ts', '../core/errors.js'],
  ['ingest/generator/clicks.ts', './random.js'],
  ['ingest/generator/clicks.ts', 'node:crypto'],
  ['collect/broker-link.ts', '../ingest/producer.js'],
  ['collect/routes/clicks.ts', '../../core/errors.js'],
  ['api/server.ts', '../core/errors.js'],
  ['api/routes/hours.ts', '../../store/hours.js'],
  ...['core', 'store', 'stream', 'ingest', 'api', 'runtime'].map((folder): [string, string] => [
    'cli/main.ts',
    `../${folder}/x.js`,
  ]),
  ...['core', 'store', 'stream', 'ingest', 'api'].map((folder): [string, string] => [
    'runtime/wire.ts',
    `../${folder}/x.js`,
  ]),
  ['test/stream/worker.test.ts', '../../ingest/generator/clicks.js'],
  ['audit/replay.ts', '../core/click/parse.js'],
  ['audit/kafka-log.ts', '../stream/kafka/record-batch.js'],
  ['bench/stream.ts', '../store/flush.js'],
];

const FORBIDDEN: [file: string, path: string][] = [
  ...['store', 'stream', 'ingest', 'api', 'runtime', 'cli', 'bench', 'test'].flatMap(
    (folder): [string, string][] => [
      ['core/time.ts', `../${folder}/x.js`],
      ['core/click/decode.ts', `../../${folder}/x.js`],
      ['core/click/decode.ts', `./../../${folder}/x.js`],
    ],
  ),
  ...['node:fs', 'node:net', 'node:fs/promises', 'node:timers', 'pg', 'kafkajs'].map(
    (path): [string, string] => ['core/click/decode.ts', path],
  ),
  ['store/flush.ts', '../stream/worker.js'],
  ['store/flush.ts', '../api/server.js'],
  ['store/live/cells.ts', '../../runtime/config.js'],
  ['stream/worker.ts', '../ingest/send.js'],
  ['stream/worker.ts', '../api/server.js'],
  ['stream/worker.ts', '../runtime/config.js'],
  ['stream/worker.ts', '../cli/main.js'],
  ['ingest/send.ts', '../store/flush.js'],
  ['ingest/send.ts', '../collect/app.js'],
  ['collect/app.ts', '../store/flush.js'],
  ['collect/app.ts', '../api/problem.js'],
  ['collect/routes/clicks.ts', '../../runtime/config.js'],
  ['ingest/send.ts', '../stream/worker.js'],
  ['ingest/send.ts', '../runtime/config.js'],
  ['audit/replay.ts', '../stream/counter.js'],
  ['audit/replay.ts', '../stream/kafka.js'],
  ['audit/replay.ts', '../stream/kafka/../counter.js'],
  ['audit/replay.ts', '../store/flush.js'],
  ['api/server.ts', '../stream/worker.js'],
  ['api/routes/hours.ts', '../../ingest/send.js'],
  ['api/server.ts', '../cli/main.js'],
  ['ingest/generator/clicks.ts', '../../core/time.js'],
  ['ingest/generator/clicks.ts', '../send.js'],
  ['ingest/generator/shape/zipf.ts', '../../../core/time.js'],
  ['ingest/generator/clicks.ts', '../../store/flush.js'],
];

describe('import rules', () => {
  it.each(ALLOWED)('%s may import %s', async (file, path) => {
    expect(await refusals(file, importing(path))).toEqual([]);
  });

  it.each(FORBIDDEN)('%s may not import %s, in any form', async (file, path) => {
    const forms = [
      importing(path),
      `import type { x } from '${path}';\nexport type Y = x;\n`,
      `export { x } from '${path}';\n`,
      `export const x = await import('${path}');\n`,
    ];
    for (const code of forms) {
      expect(await refusals(file, code), code).toHaveLength(1);
    }
  });

  it('covers every folder that holds code', async () => {
    const folders = readdirSync(ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .filter((name) => !['node_modules', 'dist', 'coverage'].includes(name))
      .filter((name) => holdsTypeScript(join(ROOT, name)));
    expect(Object.keys(await mayImport())).toEqual(expect.arrayContaining(folders));
  });
});

describe('core has no clock, no randomness, no I/O', () => {
  it.each([
    'Date.now()',
    'new Date()',
    'Date()',
    'Math.random()',
    'performance.now()',
    'setTimeout(() => undefined, 1)',
    'setInterval(() => undefined, 1)',
    'process.env',
    'crypto.randomUUID()',
    'globalThis.performance',
  ])('%s is refused in core/ and accepted outside', async (expression) => {
    const code = `export const x: unknown = ${expression};\n`;
    expect(await refusals('core/time.ts', code)).toHaveLength(1);
    expect(await refusals('store/flush.ts', code)).toEqual([]);
  });

  it('a date made from a given time is accepted in core/', async () => {
    const code = 'export const day = (ms: number) => new Date(ms).toISOString();\n';
    expect(await refusals('core/time.ts', code)).toEqual([]);
  });

  it('hashing is accepted in core/, random bytes are not', async () => {
    const use = (name: string) => `import { ${name} } from 'node:crypto';\n${name}('x');\n`;
    expect(await refusals('core/rules/hash.ts', use('createHash'))).toEqual([]);
    expect(await refusals('core/rules/hash.ts', use('randomBytes'))).toHaveLength(1);
  });
});

describe('house style', () => {
  it.each([
    ['a default export', 'export default 1;\n'],
    ['an enum', 'export enum Colour { red }\n'],
    ['a barrel', "export * from './flush.js';\n"],
  ])('%s is refused', async (_what, code) => {
    expect(await refusals('store/live.ts', code)).toHaveLength(1);
    expect(await refusals('core/live.ts', code)).toHaveLength(1);
  });

  it.each(['it.skip', 'it.only', 'test.todo', 'describe.skipIf(true)', 'describe.only'])(
    '%s is refused in tests: a skip has a reason',
    async (call) => {
      const code = `import { describe, it, test } from 'vitest';\n${call}('x', () => it);\n`;
      expect(await refusals('test/store/live.test.ts', code)).toHaveLength(1);
    },
  );
});

function holdsTypeScript(folder: string): boolean {
  return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith('.ts'));
}
