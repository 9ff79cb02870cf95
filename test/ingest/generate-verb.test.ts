import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../cli/program.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { captureOutput, type Output } from '../support/captured-output.js';

let dir: string;
let output: Output;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'truecount-generate-'));
  output = captureOutput();
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

function lines(file: string): string[] {
  return readFileSync(join(dir, file), 'latin1').split('\n').slice(0, -1);
}

describe('truecount generate', () => {
  it('writes the load, its true cells under the built-in rules, and a summary', async () => {
    const [out, truth] = [join(dir, 'clicks.ndjson'), join(dir, 'truth.ndjson')];
    const options = ['--clicks', '20000', '--seed', '9', '--hours', '2', '--from', '2025-03-01T22'];
    const files = ['--out', out, '--truth', truth];
    expect(await main(['generate', ...options, ...files, '--json'])).toBe(0);

    const fromMs = Date.UTC(2025, 2, 1, 22);
    const load = generateClicks({ clicks: 20_000, seed: 9, hours: 2, fromMs, mapUk: true });
    expect(lines('clicks.ndjson')).toEqual(
      Array.from(load, ({ line }) => Buffer.from(line).toString('latin1')),
    );
    const cells = readFileSync(truth, 'utf8').trimEnd().split('\n');
    expect(cells).toEqual(
      Array.from(load.truth.cells(), ({ adId, minuteMs, filter, count }) => {
        const minute = new Date(minuteMs).toISOString().replace('.000Z', 'Z');
        return JSON.stringify({ ad_id: adId, minute, filter, count });
      }),
    );
    expect(cells.join()).not.toContain('country:UK');
    expect(JSON.parse(output.stdout)).toEqual(load.truth.summary());
  });

  it('counts UK as UK with --no-map-uk', async () => {
    const files = ['--out', join(dir, 'clicks'), '--truth', join(dir, 'truth')];
    const options = ['--clicks', '2000', '--seed', '9', '--no-map-uk'];
    expect(await main(['generate', ...options, ...files])).toBe(0);
    expect(lines('truth').join()).toContain('country:UK');
    expect(output.stderr).toContain('2000 lines: ');
  });

  it.each([
    ['a start within an hour', ['--from', '2025-03-01T22:30'], /not on a full hour/],
    ['a seed that is no number', ['--seed', 'x'], /--seed is out of bounds/],
    ['no hours', ['--hours', '0'], /--hours is out of bounds/],
    ['a folder that is not there', ['--out', '/no/such/folder/file'], /cannot write/],
  ])('refuses %s as wrong usage', async (_, options, message) => {
    expect(await main(['generate', '--clicks', '10', '--seed', '1', ...options])).toBe(2);
    expect(output.stderr).toMatch(message);
  });
});
