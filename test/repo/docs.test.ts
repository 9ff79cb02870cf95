import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../core/errors.js';
import { SETTINGS } from '../../runtime/config-schema.js';
import { problemWith } from './commands.js';
import { mayImport } from './may-import.js';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENTS = markdownFiles(ROOT);

function markdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || ['node_modules', 'dist'].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** A document without its code blocks and code spans, in which brackets are no links. */
function prose(path: string): string {
  return readFileSync(path, 'utf8')
    .replaceAll(/^(```|~~~).*?^\1/gms, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

function relativeLinks(path: string): string[] {
  return [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Each `npx truecount …` of a document's code blocks; both sides of a pipe. */
function truecountLines(path: string): { document: string; line: string }[] {
  const blocks = readFileSync(path, 'utf8').matchAll(/^```[a-z]*\n(.*?)^```/gms);
  return [...blocks]
    .flatMap((match) => (match[1] ?? '').split(/\n|\|/))
    .map((part) => /\bnpx (truecount .*?)(?: *[#>].*)?$/.exec(part.trimEnd())?.[1])
    .filter((line) => line !== undefined)
    .map((line) => ({ document: relative(ROOT, path), line }));
}

/** The anchors that headings get, as the usual renderers make them. */
function anchors(path: string): Set<string> {
  const headings = readFileSync(path, 'utf8').matchAll(/^#{1,6} +(.+)$/gm);
  return new Set(
    [...headings].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  );
}

/** Rows of the tables of a document, as trimmed cells without code marks. */
function tableRows(path: string): string[][] {
  return readFileSync(join(ROOT, path), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s:|-]+\|$/.test(line))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll('`', '')));
}

describe('documents', () => {
  it.each(DOCUMENTS.map((path) => relative(ROOT, path)))('%s: every link resolves', (document) => {
    const path = join(ROOT, document);
    const broken = relativeLinks(path).filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : resolve(dirname(path), decodeURIComponent(file));
      if (!existsSync(target)) return true;
      return anchor !== undefined && statSync(target).isFile() && !anchors(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names a `npm run` script only if there is one', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = DOCUMENTS.flatMap((path) => [
      ...readFileSync(path, 'utf8').matchAll(/npm run ([a-z:]+)/g),
    ]).map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('commands in the documents', () => {
  it('exist, with the options that are given', async () => {
    const lines = DOCUMENTS.flatMap((path) => truecountLines(path));
    expect(lines.length).toBeGreaterThan(0);
    const problems = [];
    for (const { document, line } of lines) {
      const problem = await problemWith(line);
      if (problem !== undefined) problems.push(`${document}: ${problem} (${line})`);
    }
    expect(problems).toEqual([]);
  });
});

describe('docs/reference/errors.md', () => {
  it('lists exactly the codes of core/errors.ts, with their exit codes and statuses', () => {
    const documented = tableRows('docs/reference/errors.md')
      .slice(1)
      .map(([code, exit, status]) => [code, Number(exit), Number(status)]);
    const defined = Object.entries(ERROR_CODES).map(([code, e]) => [code, e.exit, e.status]);
    expect(documented.sort()).toEqual(defined.sort());
  });
});

describe('docs/reference/configuration.md', () => {
  it('lists exactly the settings, with their variables, defaults and meanings', () => {
    const documented = tableRows('docs/reference/configuration.md').filter(([, env]) =>
      env?.startsWith('TRUECOUNT_'),
    );
    const defined = SETTINGS.map(({ key, env, fallback, description }) => [
      key,
      env,
      fallback === undefined ? '' : String(fallback as string | number | boolean | string[]),
      description.replaceAll('`', ''),
    ]);
    expect(documented).toEqual(defined);
  });
});

describe('docs/reference/metrics.md', () => {
  it('lists exactly the metrics of the services, with their help', () => {
    const sources = ['api', 'collect', 'ingest', 'runtime', 'stream'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true })
        .filter((name) => String(name).endsWith('.ts'))
        .map((name) => readFileSync(join(ROOT, folder, String(name)), 'utf8')),
    );
    const defined = sources
      .flatMap((text) => [...text.matchAll(/name: '(truecount_\w+)',\s+help: '([^']*)'/g)])
      .map((match) => [match[1], match[2]]);
    const documented = tableRows('docs/reference/metrics.md')
      .filter(([name]) => name?.startsWith('truecount_'))
      .map(([name, , , meaning]) => [name, meaning]);
    expect(documented.sort()).toEqual(defined.sort());
  });
});

describe('ARCHITECTURE.md', () => {
  it('allows each folder exactly the imports that lint allows', async () => {
    const documented = tableRows('ARCHITECTURE.md')
      .filter(([folder]) => folder?.endsWith('/') === true && !folder.includes(' '))
      .flatMap(([folders = '', , allowed = '']) =>
        folders.split(', ').map((folder): [string, string] => [folder.slice(0, -1), allowed]),
      );
    const linted = Object.entries(await mayImport()).map(([folder, allowed]): [string, string] => [
      folder,
      allowed === null ? 'all' : allowed.join(', ') || 'nothing',
    ]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(linted));
  });
});
