import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TruecountError } from '../../core/errors.js';
import { DEFAULT_RULE_SET, hashRuleSet } from '../../core/rules/rule-set.js';
import { packageFile } from '../../runtime/package-root.js';
import { readRuleFile } from '../../runtime/rules/rule-file.js';

const folder = mkdtempSync(join(tmpdir(), 'rule-file-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function refusal(path: string): TruecountError {
  try {
    readRuleFile(path);
  } catch (error) {
    if (error instanceof TruecountError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const YAML = `version: 1
dimensions:
  - name: country
    field: country
    map: {UK: GB}
  - {name: device, field: device}
  - {name: format, field: ad_format}
`;

function latin(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

const twice =
  '{"name": "a", "field": "f", "map": {"UK": "GB",\n"US": "UK", "{": ",",\n"\\u0055K": "FR"}}';

describe('a rule file', () => {
  it('in YAML and in JSON is one rule set, of one hash', () => {
    const yaml = readRuleFile(file('rules.yaml', YAML));
    const json = readRuleFile(file('rules.json', JSON.stringify(DEFAULT_RULE_SET)));
    expect([yaml, json]).toEqual([DEFAULT_RULE_SET, DEFAULT_RULE_SET]);
    expect(hashRuleSet(yaml)).toBe(hashRuleSet(DEFAULT_RULE_SET));
  });

  it('takes a text that looks like a number or a truth only in quotes', () => {
    const written = (map: string) => `version: 1\ndimensions:\n- {name: a, field: f, map: ${map}}`;
    expect(readRuleFile(file('q.yaml', written('{"007": "1", "null": "true", NO: NO}')))).toEqual({
      version: 1,
      dimensions: [{ name: 'a', field: 'f', map: { '007': '1', null: 'true', NO: 'NO' } }],
    });
    expect(refusal(file('n.yaml', written('{007: x}'))).message).toContain(
      'n.yaml, line 3: the key 007 is no text',
    );
    expect(refusal(file('v.yaml', written('{a: 7}'))).message).toContain(
      'v.yaml, line 3: dimensions[0].map["a"] must be 1 to 256 bytes of text',
    );
  });

  it.each([
    ['a.yaml', YAML.replace('{UK: GB}', '{UK: 3}'), 5, 'dimensions[0].map["UK"] must be'],
    ['b.yaml', YAML.replace('field: device', 'feld: device'), 6, 'has an unknown key "feld"'],
    [
      'c.yaml',
      `${YAML}filters:\n  - reason: x\n    cap: {field: ad_id, max: 1}\n`,
      10,
      'filters[0]',
    ],
    ['d.yaml', YAML.replace('version: 1', 'version: 2'), 1, 'version must be 1'],
    ['e.yaml', `${YAML}version: 1\n`, 8, 'is not YAML: Map keys must be unique'],
    ['f.yaml', 'a: [', 1, 'is not YAML'],
    ['latin.yaml', latin(YAML.replace('UK', 'Österreich')), 5, 'is not UTF-8'],
    ['latin.json', latin('{\n"version": 1, "é": 2}'), 2, 'is not UTF-8'],
    ['twice.json', `{"version": 1,\n"dimensions": [${twice}]}`, 4, 'repeats the key "UK"'],
    ['g.yaml', '', undefined, 'the rule set must be an object'],
    ['h.json', '{\n"version": 1,\n"dimensions": [3]}', 3, 'dimensions[0] must be an object'],
    ['i.json', '{', undefined, 'is not JSON'],
  ])('%s is refused with its line and place', (name, text: string | Uint8Array, line, what) => {
    const error = refusal(file(name, text));
    expect(error).toMatchObject({
      code: 'invalid_rule_set',
      context: { file: join(folder, name) },
    });
    expect(error.context['line']).toBe(line);
    expect(error.message).toContain(what);
  });

  it('that is no YAML is refused in one line that ends', () => {
    const { message } = refusal(file('flow.yaml', YAML.replace('{UK: GB}', '{UK: GB')));
    expect(message).toMatch(/flow\.yaml, line \d+: is not YAML: .*[a-z}\]")]$/);
    expect(message).not.toContain('at line');
  });

  it('that is not there is not found', () => {
    expect(refusal(join(folder, 'none.yaml')).code).toBe('not_found');
  });

  it('reads examples/rules.yaml, which uses every member, and its table from CSV', () => {
    const ruleSet = readRuleFile(packageFile('examples', 'rules.yaml'));
    expect(ruleSet.tables!['campaigns']).toEqual({
      key: 'text',
      columns: ['campaign', 'advertiser'],
      rows: [
        ['ad_0000', 'spring-sale', 'Acme'],
        ['ad_0001', 'spring-sale', 'Acme'],
        ['ad_0002', 'shoes, boots and more', 'Globex'],
        ['ad_0003', 'brand', ''],
      ],
    });
    const text = JSON.stringify(ruleSet);
    const members =
      'trim case unknown map lookup match maxBytes field value first cross score bias otherwise ' +
      'in matches within missing when cap';
    expect(members.split(' ').filter((name) => !text.includes(`"${name}":`))).toEqual([]);
  });
});

describe('a table in a file', () => {
  const rules = (table: string) => `version: 1\ntables:\n  t: ${table}\ndimensions: []\n`;

  it('may have a byte order mark, CR LF, quotes and empty lines', () => {
    file('t.csv', '\ufeffip,"kind"\r\n10.0.0.0/8,"a ""b"""\r\n\r\n::1,\r\n');
    expect(readRuleFile(file('t.yaml', rules('{file: t.csv, key: ip}'))).tables).toEqual({
      t: {
        key: 'ip',
        columns: ['kind'],
        rows: [
          ['10.0.0.0/8', 'a "b"'],
          ['::1', ''],
        ],
      },
    });
  });

  it.each<[string, string | Uint8Array, number | undefined, string]>([
    ['block.csv', 'ip,kind\n10.0.0.0/8,a\n10.0.0.1/8,b\n', 3, 'tables["t"].rows[1][0] must be'],
    ['twice.csv', 'ip,kind\n\n10.0.0.1,a\n10.0.0.1,b\n', 4, 'repeats the key "10.0.0.1"'],
    ['width.csv', 'ip,kind\n10.0.0.1,a,b\n', 2, 'has 3 columns instead of 2'],
    [
      'names.csv',
      'ip,Kind\n10.0.0.1,a\n',
      1,
      'tables["t"].columns[0] must match ^[a-z][a-z0-9_]{0,31}$, not "Kind"',
    ],
    ['quote.csv', 'ip,kind\n10.0.0.1,"a\n', 2, 'is no CSV'],
    ['empty.csv', '', 1, 'is empty'],
    ['latin.csv', Buffer.from('ip,kind\n10.0.0.1,\xe4\n', 'latin1'), 2, 'is not UTF-8'],
  ])('%s is refused with its line', (name, text, line, what) => {
    const path = file(name, text);
    const error = refusal(file('table.yaml', rules(`{file: ${name}, key: ip}`)));
    expect(error).toMatchObject({ code: 'invalid_rule_set', context: { file: path } });
    expect(error.context['line']).toBe(line);
    expect(error.message).toContain(what);
  });

  it('is refused where it is not there, and with rows beside the file', () => {
    const gone = refusal(file('gone.yaml', rules('{file: gone.csv, key: ip}')));
    const place = 'gone.yaml, line 3: tables["t"].file names ';
    expect(gone.message).toContain(
      `${place}${join(folder, 'gone.csv')}, which cannot be read: ENOENT`,
    );
    expect(gone.context).toMatchObject({ file: join(folder, 'gone.yaml'), line: 3 });
    const both = refusal(file('both.yaml', rules('{file: t.csv, key: ip, rows: []}')));
    expect(both.message).toContain('both.yaml, line 3: tables["t"] must have a file and a key');
    const kind = refusal(file('kind.yaml', rules('{file: t.csv, key: cidr}')));
    expect(kind.message).toContain('kind.yaml, line 3: tables["t"].key must be one of text, ip');
  });
});
