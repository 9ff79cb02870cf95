import { describe, expect, test } from 'vitest';
import { CompiledRules, FilterTable } from '../../stream/compiled-rules.js';
import { FlushBuffer } from '../../stream/flush-buffer.js';
import { ByteInterner } from '../../stream/interner.js';
import { PartitionState } from '../../stream/partition-state.js';

const HOUR = Date.UTC(2025, 0, 1, 7);
const RULES = { version: 1, dimensions: [{ name: 'country', field: 'country' }] } as const;

/** A partition with three counted clicks of minute 5 and one duplicate, buffered. */
function buffered() {
  const filters = new FilterTable();
  const ads = new ByteInterner();
  const ad = ads.intern(Buffer.from('ad-1'), 0, 4);
  const us = filters.idOf('country:US');
  const state = new PartitionState(
    { topic: 'clicks', partition: 0 },
    { slot: 4, epoch: 2, nextOffset: 10, rebuildFrom: 10, maxEventMs: null },
    new Set(),
  );
  const hour = state.addHour(HOUR, new CompiledRules('h', RULES, ['country'], filters), false);
  const buffer = new FlushBuffer(1);
  const group = buffer.groupOf(state, hour);
  for (const offset of [10, 11, 13]) {
    buffer.counted.add(offset, group, 5, ad, Int32Array.of(us), 0);
    buffer.cells.add(group, 0, ad, 5);
    buffer.cells.add(group, us, ad, 5);
    buffer.group(group).counted[5]!++;
    state.fates.counted++;
  }
  buffer.group(group).duplicate[5]!++;
  state.fates.duplicate++;
  state.position = 14;
  return { buffer, hour, state, texts: { ads, filters } };
}

describe('FlushBuffer', () => {
  test('of an open hour writes cells, of a cut hour late positions, and never both', () => {
    const { buffer, state, texts } = buffered();
    const open = buffer.body(new Set([state]), new Set(), texts);
    expect(open.cells.rows).toBe(2);
    expect(open.late).toEqual([]);
    expect(open.ranges[0]).toMatchObject({ counted: 3, late: 0, duplicate: 1 });

    const cut = buffer.body(new Set([state]), new Set([HOUR]), texts);
    expect(cut.cells.rows).toBe(0);
    expect(cut.late.map((row) => row.offset)).toEqual([10, 11, 13]);
    expect(cut.late[0]).toMatchObject({ adId: 'ad-1', minute: 5, filters: ['country:US'] });
    expect(cut.ranges[0]).toMatchObject({ counted: 0, late: 3, duplicate: 1 });
    expect(cut.minutes[0]!.late[5]).toBe(3);
    expect(cut.minutes[0]!.counted[5]).toBe(0);
  });

  test('turns late what was counted before the worker heard of the cut elsewhere', () => {
    const { buffer, hour, state, texts } = buffered();
    // A position report or an assignment learned of it while the clicks were buffered.
    hour.cut = true;
    hour.ids = null;
    const body = buffer.body(new Set([state]), new Set([HOUR]), texts);
    expect(body.cells.rows).toBe(0);
    expect(body.late.map((row) => row.offset)).toEqual([10, 11, 13]);
  });

  test('leaves out what belongs to a partition that was lost', () => {
    const { buffer, texts } = buffered();
    const body = buffer.body(new Set(), new Set(), texts);
    expect(body.cells.rows).toBe(0);
    expect(body.ranges).toEqual([]);
    expect(body.minutes).toEqual([]);
  });
});
