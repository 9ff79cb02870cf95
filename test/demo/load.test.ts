import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cellKey, fileLoad, generatedLoad, type Cells } from '../../cli/demo/load.js';
import { FIRST_RULES, fixedRules } from '../../cli/demo/rules.js';
import { UK_IS_GB } from '../../cli/demo/sql-truth.js';
import { countClicks, type LogRecord } from '../../core/count.js';
import type { RuleSet } from '../../core/rules/rule-set.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';

const APPEND_MS = Date.UTC(2026, 10, 21);
const folder = mkdtempSync(join(tmpdir(), 'truecount-demo-load-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function logOf(items: AsyncIterable<SourceItem>, first = 0): Promise<LogRecord[]> {
  const log: LogRecord[] = [];
  for await (const item of items) {
    if (item.kind !== 'record') continue;
    const offset = first + log.length;
    log.push({ topic: 't', partition: 0, offset, appendMs: APPEND_MS, value: item.bytes });
  }
  return log;
}

/** What the reference engine counts. */
function counted(log: readonly LogRecord[], ruleSet: RuleSet): Cells {
  const { cells } = countClicks(log, ruleSet);
  return new Map(
    [...cells.values()].map((c) => [cellKey(c.adId, c.minuteMs, c.filter), c.count] as const),
  );
}

function write(name: string, clicks: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, clicks.map((click) => JSON.stringify(click)).join('\n'));
  return path;
}

const click = (id: number, device: string, country: string) => ({
  ...{ event_id: `e${String(id)}`, ad_id: 'a', timestamp: '2025-11-21T10:00:01Z' },
  ...{ device, country },
});

describe('a generated load', () => {
  it('knows its truth on time, with the late lines, and by the fixed rules', async () => {
    const load = generatedLoad(4_000, 7);
    const log = await logOf(load.items());
    expect(log).toHaveLength(load.records);
    expect(await load.truthBefore()).toEqual(counted(log, FIRST_RULES));
    log.push(...(await logOf(load.late(), log.length)));
    expect(log).toHaveLength(4_000);
    expect(await load.truthBefore()).toEqual(counted(log, FIRST_RULES));
    const after = await load.truthAfter();
    expect(after).toEqual(counted(log, fixedRules(await load.fix())));
    expect(after).not.toEqual(await load.truthBefore());
  });
});

describe('a file', () => {
  it('with a UK has it counted as GB', async () => {
    const input = write('uk.ndjson', [click(1, 'tv', 'UK'), click(2, 'tv', 'GB')]);
    const load = fileLoad({ input, format: 'ndjson' });
    const log = await logOf(load.items());
    expect(await load.fix()).toEqual(UK_IS_GB);
    expect(await load.truthBefore()).toEqual(counted(log, FIRST_RULES));
    expect(await load.truthAfter()).toEqual(counted(log, fixedRules(UK_IS_GB)));
  });

  it('without one has its second most frequent device counted as the first', async () => {
    const devices = ['1', '1', '1', '2', '2', '3'];
    const clicks = devices.map((device, i) => click(i, device, 'DE'));
    const load = fileLoad({ input: write('devices.ndjson', clicks), format: 'ndjson' });
    const fix = { dimension: 'device', from: '2', to: '1' } as const;
    expect(await load.fix()).toEqual(fix);
    const log = await logOf(load.items());
    expect(await load.truthAfter()).toEqual(counted(log, fixedRules(fix)));
  });
});
