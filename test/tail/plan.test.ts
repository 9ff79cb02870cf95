import { describe, expect, it } from 'vitest';
import { LeftAlone } from '../../ingest/tail/left-alone.js';
import { pairOf } from '../../ingest/tail/plan.js';
import type { Decision, PlanInputs } from '../../ingest/tail/plan.js';
import type { TailState } from '../../ingest/tail/state-file.js';
import { known, plan, seen } from './support/plan-values.js';

function only(inputs: Partial<PlanInputs>): Decision {
  const { decisions } = plan(inputs);
  expect(decisions).toHaveLength(1);
  return decisions[0]!;
}

describe('planFiles', () => {
  it('knows a file by its inode and first bytes, whatever its name', () => {
    const a = known(1, 'one\n');
    const file = seen('1:1', 'one\ntwo\n', { path: '/l/a.log.1' });
    expect(only({ known: [a], seen: [file] })).toEqual({ kind: 'go_on', file, known: a });
  });

  it.each([
    ['shorter than what was read', 'on', 'truncated'],
    ['empty', '', 'truncated'],
    ['longer, with other first bytes', 'another\n', 'replaced'],
  ])('begins anew with a known inode that is %s', (_, content, why) => {
    const inputs = { known: [known(1, 'one\n')], seen: [seen('1:1', content)] };
    expect(only(inputs)).toMatchObject({ kind: 'begin', why });
  });

  it('takes what begins like known ones for their copy, the one read furthest first', () => {
    const all = [known(1, 'one\n'), known(2, 'one\ntwo\n'), known(3, 'other\n')];
    const file = seen('1:9', 'one\ntwo\nthree\n', { path: '/l/a.log.1' });
    const decision = plan({ known: all, seen: [file] }).decisions[0]!;
    expect(decision).toEqual({ kind: 'compare', file, candidates: [all[1], all[0]] });
    const gz = { ...file, size: 3, gz: true };
    expect(plan({ known: all, seen: [gz] }).decisions[0]).toMatchObject({ kind: 'compare' });
  });

  it('begins with the first byte once all copies are refuted', () => {
    const a = known(1, 'one\n');
    const file = seen('1:9', 'one\ntwo\n');
    const refuted = new Set([pairOf(a, file)]);
    expect(only({ known: [a], seen: [file], refuted })).toMatchObject({ kind: 'begin' });
  });

  it('waits for a copy that is being written, but not for ever', () => {
    const a = known(1, 'x'.repeat(3_000));
    const file = seen('1:9', 'x'.repeat(2_000), { firstSeenMs: 950 });
    expect(only({ known: [a], seen: [file] }).kind).toBe('wait');
    expect(only({ known: [a], seen: [file], nowMs: 1_050 }).kind).toBe('begin');
  });

  it('leaves alone what was rotated away before the first start, and only that', async () => {
    const asked = ['/l/a.log'];
    const name = { path: '/l/a.log.1', named: 'rotated' } as const;
    const file = seen('1:9', 'one\n', { ...name, mtimeMs: 4_999 });
    const state = { createdMs: 5_000 } as TailState;
    const leftAlone = new LeftAlone(state, asked, 9_000);
    expect(only({ seen: [file], leftAlone })).toEqual({ kind: 'ignore', file, first: true });
    expect(only({ seen: [{ ...file, mtimeMs: 5_000 }], leftAlone }).kind).toBe('begin');
    expect(only({ seen: [{ ...file, named: 'asked' }], leftAlone }).kind).toBe('begin');
    await leftAlone.add(file);
    leftAlone.close(new Set(['/l']));
    const other = seen('1:8', 'two\n', { ...name, mtimeMs: 4_999 });
    expect(only({ seen: [other], leftAlone }).kind).toBe('begin');

    // Later, also under another name and as gz, but with the time of change that it had.
    const later = new LeftAlone({ ...state, ...leftAlone.state() }, asked, 9_000);
    const gz = seen('1:7', 'one\n', { ...name, path: '/l/a.log.2.gz', gz: true, mtimeMs: 4_000 });
    const ignored = { kind: 'ignore', file: gz, first: false };
    expect(only({ seen: [gz], leftAlone: later })).toEqual(ignored);
    expect(only({ seen: [other], leftAlone: later }).kind).toBe('begin');
    const longer = seen('1:6', 'one\ntwo\n', { ...name, mtimeMs: 4_999 });
    expect(only({ seen: [longer], leftAlone: later }).kind).toBe('begin');
    expect(only({ seen: [{ ...file, mtimeMs: 3_999 }], leftAlone: later }).kind).toBe('begin');
  });

  it('leaves alone the older ones of a name that is asked for later', () => {
    const state = { createdMs: 5_000, asked: ['/l/a.log'] } as unknown as TailState;
    const old = seen('1:9', 'one\n', { path: '/l/b.log.1', named: 'rotated', mtimeMs: 7_000 });
    const leftAlone = new LeftAlone(state, ['/l/a.log', '/l/b.log'], 9_000);
    expect(only({ seen: [old], leftAlone }).kind).toBe('ignore');
    expect(only({ seen: [{ ...old, path: '/l/a.log.1' }], leftAlone }).kind).toBe('begin');
  });

  it('takes time that grows with the number of files, not with its square', () => {
    const count = 20_000;
    const contents = Array.from({ length: count }, (_, i) => `${String(i)}\n`);
    const all = contents.map((content, i) => known(i, content));
    const files = contents.map((content, i) => seen(`1:${String(i)}`, content));
    const gone = contents.map((content, i) => known(count + i, `gone ${content}`));
    const since = process.cpuUsage();
    const { decisions, vanished } = plan({ known: [...all, ...gone], seen: files });
    const { user } = process.cpuUsage(since);
    expect(decisions.every(({ kind }) => kind === 'go_on')).toBe(true);
    expect(vanished).toHaveLength(count);
    expect(user / 1e6, 'seconds of CPU').toBeLessThan(2);
  });

  it('remembers a vanished file for a while, unless another one stands for it', () => {
    const content = 'x'.repeat(2_000);
    const a = known(1, content, { lastSeenMs: 0 });
    const copy = known(2, content, { fileId: '1:9' });
    expect(plan({ known: [a], nowMs: 9_999 }).forget).toEqual([]);
    expect(plan({ known: [a], nowMs: 10_000 }).forget).toEqual([a]);
    expect(plan({ known: [a, copy], seen: [seen('1:9', content)] }).forget).toEqual([a]);
    expect(plan({ known: [known(1, '')], nowMs: 0 }).forget).toHaveLength(1);
  });
});
