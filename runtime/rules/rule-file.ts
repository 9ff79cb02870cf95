import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { parseRuleSet } from '../../core/rules/parse.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import { utf8Text } from '../../core/utf8.js';
import { invalidAt } from './invalid.js';
import { RuleText, type Path } from './rule-text.js';
import { parseTableFile, type TableFile } from './table-file.js';

/**
 * Reads a rule set from a YAML file, or a JSON file (`*.json`). A table may be given as
 * `{file: campaigns.csv, key: text}`, relative to the rule file: its rows become part of the rule set.
 * @throws TruecountError `not_found`, `invalid_rule_set` with file, line and place
 */
export function readRuleFile(path: string): RuleSet {
  const source = new RuleText(path, readText(path));
  const body = source.value();
  const files = inlineTables(body, path, source);
  try {
    return parseRuleSet(body);
  } catch (error) {
    if (!(error instanceof TruecountError) || error.code !== 'invalid_rule_set') throw error;
    const { place, reason } = error.context as { place: string; reason: string };
    const { file, line } = whereIs(pathOf(place), path, source, files);
    throw invalidAt(file, line, `${place} ${reason}`, error);
  }
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('not_found', `cannot read the rule file ${path}: ${why}`, {
      hint: 'examples/rules.yaml is one to begin with',
      cause,
    });
  }
  return utf8Text(bytes, (line) => invalidAt(path, line, 'is not UTF-8'));
}

/** Puts the tables that are files in their places, and says which they are, by name. */
function inlineTables(body: unknown, path: string, source: RuleText): Map<string, TableFile> {
  const files = new Map<string, TableFile>();
  const tables = isObject(body) ? body['tables'] : undefined;
  if (!isObject(tables)) return files;
  for (const [name, table] of Object.entries(tables)) {
    if (!isObject(table) || !('file' in table)) continue;
    const { file, key, ...more } = table;
    if (typeof file !== 'string' || Object.keys(more).length > 0) {
      const place = `tables[${JSON.stringify(name)}]`;
      const line = source.lineOf(['tables', name]);
      throw invalidAt(path, line, `${place} must have a file and a key, and nothing else`);
    }
    const read = tableFile(join(dirname(path), file), (why, cause) => {
      const place = `tables[${JSON.stringify(name)}].file`;
      return invalidAt(path, source.lineOf(['tables', name, 'file']), `${place} ${why}`, cause);
    });
    files.set(name, read);
    tables[name] = { key, columns: read.columns, rows: read.rows };
  }
  return files;
}

function tableFile(
  path: string,
  unreadable: (why: string, cause: unknown) => TruecountError,
): TableFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unreadable(`names ${path}, which cannot be read: ${why}`, cause);
  }
  return parseTableFile(path, bytes);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where a place is: in the rule file, or in that of a table. */
function whereIs(
  place: Path,
  path: string,
  source: RuleText,
  files: ReadonlyMap<string, TableFile>,
): { readonly file: string; readonly line: number | undefined } {
  const [member, name, part, row] = place;
  const table = member === 'tables' ? files.get(String(name)) : undefined;
  if (table === undefined || (part !== 'rows' && part !== 'columns')) {
    return { file: path, line: source.lineOf(place) };
  }
  return { file: table.path, line: part === 'rows' ? table.lines[Number(row)] : 1 };
}

const STEP = /([A-Za-z]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g;

/** `dimensions[1].map["UK"]` taken apart; nothing where the place is the whole. */
function pathOf(place: string): Path {
  if (place.startsWith('the rule set')) return [];
  return [...place.replace(/ as a (key|name)$/, '').matchAll(STEP)].map(
    ([, name, index, quoted = '""']) =>
      name ?? (index === undefined ? unquoted(quoted) : Number(index)),
  );
}

function unquoted(text: string): string {
  return JSON.parse(text) as string;
}
