import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { packageFile } from '../../runtime/package-root.js';
import { captureOutput, type Output } from '../support/captured-output.js';

const APACHE = packageFile('examples', 'apache.mapping.yaml');
const GOOD = '::1 - - [17/May/2015:10:05:03 +0000] "GET /ad7?x=1 HTTP/1.1" 200 17 "-" "curl/8"';
const LOG = [
  GOOD,
  'nonsense',
  GOOD.replace('17/May', '32/May'),
  `::1 - - [17/May/2015:10:05:03 +0000] "-" 408 0 "-" "-"`,
  GOOD.replace('/ad7?x=1', `/${'x'.repeat(1_100)}`),
  GOOD.replace('"curl/8"', '"curl'),
  GOOD,
  '',
].join('\n');

let dir: string;
let output: Output;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-mapping-'));
  output = captureOutput();
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

const LOG_OPTIONS = ['--format', 'combined-log', '--mapping', APACHE];

describe('truecount mapping try', () => {
  it('refuses a file of a compression that is not read', async () => {
    const path = file('clicks.log', Buffer.from('504b0304140000000800', 'hex'));
    expect(await main(['mapping', 'try', path])).toBe(2);
    expect(output.stderr).toContain('is compressed by zip, which is not read');
    expect(output.stdout).toBe('');
  });

  it('shows the first records, every rejection with line and character, and the sums', async () => {
    const path = file('access.log', LOG);
    expect(await main(['mapping', 'try', path, ...LOG_OPTIONS, '--records', '1'])).toBe(0);
    const lines = output.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^line 1: \{"event_id":"1-[\w-]{22}","ad_id":"\/ad7","timestamp":/);
    expect(lines.slice(1)).toEqual([
      'line 2, character 1: rejected: expected " " behind remote_host, which begins here: the line ' +
        'ends first',
      'line 3, character 10: rejected: the time is unreadable: "32/May/2015:10:05:03 +0000" ' +
        '(expected clf)',
      'line 4, character 39: rejected: the ad id is empty',
      'line 5: quarantined: bad_id: ad_id is longer than 1024 bytes',
      `line 6, character ${GOOD.length - 6}: rejected: expected its closing quote behind user_agent, ` +
        'which begins here: the line ends first',
      '2 clicks, 4 rejected, 1 that the log would quarantine',
      '  1 bad_id',
      '  1 expected " " behind remote_host, which begins here',
      '  1 expected its closing quote behind user_agent, which begins here',
      '  1 the ad id is empty',
      '  1 the time is unreadable',
    ]);
  });

  it('gives one JSON document a line, of a compressed file as well', async () => {
    const path = file('access.log-20261121', gzipSync(LOG));
    expect(await main(['mapping', 'try', path, ...LOG_OPTIONS, '--json'])).toBe(0);
    const documents = output.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(documents.map(({ kind, line, column }) => [kind, line, column])).toEqual([
      ['click', 1, undefined],
      ['rejected', 2, 1],
      ['rejected', 3, 10],
      ['rejected', 4, 39],
      ['quarantined', 5, undefined],
      ['rejected', 6, GOOD.length - 6],
      ['click', 7, undefined],
      ['sums', undefined, undefined],
    ]);
    expect(documents[0]).toMatchObject({
      click: { ad_id: '/ad7', timestamp: 1_431_857_103_000, method: 'GET', user_agent: 'curl/8' },
    });
    expect(documents.at(-1)).toMatchObject({ clicks: 2, rejected: 4, quarantined: 1 });
  });

  it('says where a cell of a CSV is', async () => {
    const mapping = 'event_id: {position: true}\nad_id: {column: ad}\n';
    const time = 'timestamp: {column: at, format: epoch_ms}\n';
    const rows = ['"a, b",1700000000000', '"a, b",x', ',1700000000000', 'a,1700000000000,'];
    const path = file('clicks.csv', ['ad,at', ...rows, ''].join('\n'));
    const args = ['--mapping', file('m.yaml', mapping + time), '--records', '0'];
    expect(await main(['mapping', 'try', path, ...args])).toBe(0);
    expect(output.stdout).toContain('line 3, character 8: rejected: the time is unreadable: "x"');
    expect(output.stdout).toContain('line 4, character 1: rejected: the ad id is empty');
    expect(output.stdout).toContain('line 5, character 17: rejected: 3 columns instead of 2');
  });

  it('says where in a row of several lines, and counts an emoji as one character', async () => {
    const mapping = 'event_id: {position: true}\nad_id: {column: ad}\n';
    const time = 'timestamp: {column: at, format: epoch_ms}\n';
    const rows = ['"a\r\n😀",x', '"a\n\n","1"y', '"a\nb"', '😀😀,x', '"a\n', ',1", "2""\n"x'];
    const path = file('clicks.csv', ['ad,at', ...rows, ''].join('\n'));
    const args = ['--mapping', file('m.yaml', mapping + time), '--records', '0'];
    await main(['mapping', 'try', path, ...args]);
    expect(output.stdout.split('\n').map((line) => line.slice(0, 60))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^line 3, character 4: rejected: the time/),
        expect.stringMatching(/^line 6, character 6: rejected: expected ","/),
        expect.stringMatching(/^line 8, character 3: rejected: 1 columns/),
        expect.stringMatching(/^line 9, character 4: rejected: the time/),
      ]) as unknown,
    );
    output.stdout = '';
    const log = GOOD.replace('::1', '😀').replace('17/May', '32/May');
    await main(['mapping', 'try', file('access.log', log), ...LOG_OPTIONS]);
    expect(output.stdout).toContain('line 1, character 8: rejected: the time is unreadable');
  });

  it('fails if no record would count, also where there is none', async () => {
    expect(await main(['mapping', 'try', file('a.ndjson', 'nonsense\n')])).toBe(1);
    expect(output.stdout).toContain('line 1, character 2: quarantined: not_json');
    const names = file('a.csv', 'event_id,ad_id,timestamp\n');
    expect(await main(['mapping', 'try', names])).toBe(1);
    expect(output.stdout).toContain('0 clicks, 0 rejected, 0 that the log would quarantine');
    expect(await main(['mapping', 'try', file('empty.ndjson', '')])).toBe(1);
  });

  it.each([
    ['no mapping for a log', ['--format', 'combined-log'], 2, /combined-log needs a mapping/],
    ['no format for it', ['--mapping', APACHE], 2, /would be NDJSON/],
    ['a custom log without its format', ['--format', 'log', '--mapping', APACHE], 2, /log line is/],
    [
      'a field that the log has not',
      ['--format', 'common-log', '--mapping', APACHE],
      2,
      /no column "user_agent"/,
    ],
    ['an odd number', ['--records', '-1'], 2, /--records is out of bounds/],
  ])('says what is wrong with %s', async (_, args, exit, message) => {
    expect(await main(['mapping', 'try', file('a.log', LOG), ...args])).toBe(exit);
    expect(output.stderr).toMatch(message);
  });
});
