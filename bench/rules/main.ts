import { ClickDecoder, DECODED } from '../../core/click/decode.js';
import { createClickView } from '../../core/click/view.js';
import type { ClickView } from '../../core/click/view.js';
import { fieldsOf } from '../../core/rules/meaning.js';
import { DEFAULT_RULE_SET } from '../../core/rules/rule-set.js';
import { CellBuffer } from '../../stream/cell-buffer.js';
import { CompiledRules, FilterTable } from '../../stream/compiled-rules.js';
import { hash128 } from '../../stream/hash128.js';
import { IdSet } from '../../stream/id-set.js';
import { ByteInterner } from '../../stream/interner.js';
import { median, type Report } from '../support/report.js';
import { HOUR_MS, Workload } from '../support/workload.js';
import { HandWrittenRules } from './hand-written.js';

const CLICKS = 200_000;
const ROUNDS = 21;
const WIDTH = 3;
const MINUTE_MS = 60_000;
const SEEDS = Int32Array.of(1, 2, 3, 4);

/** Clicks in one piece of memory, and what the decoder found of each. */
interface Load {
  readonly bytes: Buffer;
  readonly starts: Int32Array;
  /** Columns: ad, id, and each field, start and end. */
  readonly ranges: Int32Array;
  readonly minutes: Uint8Array;
}

const RANGES = 2 * (2 + WIDTH);

/**
 * What a click costs in each part of the hot path, and the compiled default rules beside the same
 * written by hand: in turn in the same process, on the same clicks, medians of ns of CPU time.
 */
export function benchRules(): Promise<Report> {
  const load = makeLoad();
  const times = new Map<string, number[]>();
  const parts = partsOf(load);
  for (let round = -3; round < ROUNDS; round++) {
    for (const [name, run] of parts) {
      const ns = timed(run);
      if (round >= 0) times.set(name, [...(times.get(name) ?? []), ns]);
    }
  }
  const of = (name: string): number => median(times.get(name)!);
  const given = of('giving a click');
  const ratio = (of('rules, compiled') - given) / (of('rules, by hand') - given);
  const shown = (ns: number): string => ns.toFixed(1);
  return Promise.resolve({
    name: `rules: the parts of the hot path, ${String(CLICKS)} clicks in memory`,
    rows: [...times].map(([part, all]) => ({
      part,
      'ns/click': shown(median(all)),
      least: shown(Math.min(...all)),
      most: shown(Math.max(...all)),
    })),
    notes: [
      `compiled rules take ${ratio.toFixed(2)} times what the same take that are written by hand; ` +
        'without "giving a click" to them, which is part of both figures',
      `medians of ${String(ROUNDS)} rounds in turn, after 3 that were not counted`,
    ],
    raw: Object.fromEntries(times),
  });
}

function timed(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / CLICKS;
}

function makeLoad(): Load {
  const values = Array.from(new Workload(CLICKS).clicks(), ({ value }) => value);
  const starts = new Int32Array(CLICKS + 1);
  values.forEach((value, i) => {
    starts[i + 1] = starts[i]! + value.length;
  });
  const load = {
    ...{ bytes: Buffer.concat(values), starts },
    ranges: new Int32Array(CLICKS * RANGES),
    minutes: new Uint8Array(CLICKS),
  };
  eachDecoded(load, (view, i) => {
    if (view.source !== load.bytes) throw new Error(`click ${String(i)} is not decoded in place`);
    const { adStart, adEnd, idStart, idEnd, fieldStart, fieldEnd } = view;
    load.ranges.set([adStart, adEnd, idStart, idEnd], i * RANGES);
    for (let f = 0; f < WIDTH; f++) {
      load.ranges.set([fieldStart[f]!, fieldEnd[f]!], i * RANGES + 4 + 2 * f);
    }
    load.minutes[i] = (view.eventMs - HOUR_MS) / MINUTE_MS;
  });
  return load;
}

function eachDecoded({ bytes, starts }: Load, use: (view: ClickView, i: number) => void): void {
  const decoder = new ClickDecoder(fieldsOf(DEFAULT_RULE_SET));
  const view = createClickView(WIDTH);
  for (let i = 0; i < CLICKS; i++) {
    const result = decoder.decodeInto(bytes, starts[i]!, starts[i + 1]!, HOUR_MS * 2, view);
    if (result !== DECODED) throw new Error(`click ${String(i)} is none`);
    use(view, i);
  }
}

/** Gives the click's fields to a view, as the decoder leaves them. */
function give({ ranges }: Load, i: number, view: ClickView): void {
  const at = i * RANGES + 4;
  for (let f = 0; f < WIDTH; f++) {
    view.fieldStart[f] = ranges[at + 2 * f]!;
    view.fieldEnd[f] = ranges[at + 2 * f + 1]!;
  }
}

function partsOf(load: Load): readonly (readonly [string, () => void])[] {
  const { bytes, ranges, minutes } = load;
  const [compiledTable, handTable] = [new FilterTable(), new FilterTable()];
  const compiled = new CompiledRules(
    'bench',
    DEFAULT_RULE_SET,
    fieldsOf(DEFAULT_RULE_SET),
    compiledTable,
  );
  const byHand = new HandWrittenRules(handTable);
  const view = createClickView(WIDTH);
  view.source = bytes;
  const filters = new Int32Array(CLICKS * WIDTH);
  const ads = new Int32Array(CLICKS);
  const interner = new ByteInterner(SEEDS);
  for (let i = 0; i < CLICKS; i++) {
    ads[i] = interner.intern(bytes, ranges[i * RANGES]!, ranges[i * RANGES + 1]!);
  }
  const words = new Int32Array(4);
  const others = new Int32Array(WIDTH);
  for (let i = 0; i < CLICKS; i++) {
    give(load, i, view);
    compiled.judge(view, filters, i * WIDTH, WIDTH);
    byHand.judge(view, others, 0);
    const [a, b] = [filters.subarray(i * WIDTH, (i + 1) * WIDTH), others].map((ids, table) =>
      Array.from(ids, (id) => [compiledTable, handTable][table]!.texts.toString(id)).join(),
    );
    if (a !== b) throw new Error(`click ${String(i)}: compiled ${a!}, by hand ${b!}`);
  }
  return [
    ['decode', () => eachDecoded(load, () => undefined)],
    [
      'ad: intern',
      () => {
        for (let i = 0; i < CLICKS; i++) {
          interner.intern(bytes, ranges[i * RANGES]!, ranges[i * RANGES + 1]!);
        }
      },
    ],
    [
      'dedupe: hash and remember',
      () => {
        const ids = new IdSet();
        for (let i = 0; i < CLICKS; i++) {
          const at = i * RANGES + 2;
          const seed = interner.wordsAt(ads[i]!);
          hash128(bytes, ranges[at]!, ranges[at + 1]!, interner.words(), seed, words, 0);
          ids.add(words[0]!, words[1]!, words[2]!, words[3]!);
        }
      },
    ],
    [
      'giving a click',
      () => {
        for (let i = 0; i < CLICKS; i++) give(load, i, view);
      },
    ],
    [
      'rules, compiled',
      () => {
        for (let i = 0; i < CLICKS; i++) {
          give(load, i, view);
          compiled.judge(view, filters, i * WIDTH, WIDTH);
        }
      },
    ],
    [
      'rules, by hand',
      () => {
        for (let i = 0; i < CLICKS; i++) {
          give(load, i, view);
          byHand.judge(view, filters, i * WIDTH);
        }
      },
    ],
    [
      'cells: total and 3 filters',
      () => {
        const cells = new CellBuffer();
        for (let i = 0; i < CLICKS; i++) {
          const minute = minutes[i]!;
          cells.add(0, 0, ads[i]!, minute);
          for (let d = 0; d < WIDTH; d++) cells.add(0, filters[i * WIDTH + d]!, ads[i]!, minute);
        }
      },
    ],
  ];
}
