import { WeightedIndex } from './random.js';

/** Ads in a generated load: Zipf with exponent 1 behind one hot ad. */
export const AD_COUNT = 2000;

export interface Ad {
  readonly id: string;
  /** The id as a JSON string. */
  readonly json: string;
}

/**
 * Most ids are plain. A few are legal and awkward (a URL or CSV special, UTF-8, the longest id
 * allowed), so that every load also tests what handles ids.
 */
export function createAds(): Ad[] {
  const awkward = new Map<number, string>([
    [40, 'ad/40 100%?a=b&c'],
    [60, 'ad,"60"'],
    [80, 'реклама-80'],
    [100, 'ad-📣-100'],
    [1500, 'x'.repeat(1024)],
  ]);
  return Array.from({ length: AD_COUNT }, (_, rank) => {
    const id = awkward.get(rank) ?? `ad_${String(rank).padStart(4, '0')}`;
    return { id, json: JSON.stringify(id) };
  });
}

/** `hotShare` of all clicks go to ad 0; the rest is Zipf over the others. */
export function createAdPicker(hotShare: number): WeightedIndex {
  let harmonic = 0;
  for (let rank = 1; rank < AD_COUNT; rank += 1) harmonic += 1 / rank;
  const weights = [hotShare];
  for (let rank = 1; rank < AD_COUNT; rank += 1) weights.push((1 - hotShare) / rank / harmonic);
  return new WeightedIndex(weights, 16);
}

/** One way in which a dimension field can occur in a click. */
export interface Occurrence {
  /** JSON text of the value; empty when the field is not there at all. */
  readonly json: string;
  /** The value it counts as. */
  readonly counts: string;
}

export interface Dimension {
  /** Name in a filter: `country:US`. */
  readonly name: string;
  readonly field: string;
  readonly occurrences: readonly Occurrence[];
  readonly picker: WeightedIndex;
}

type Weighted = readonly [weight: number, json: string, counts: string];

const plain = (weight: number, value: string): Weighted => [weight, JSON.stringify(value), value];

/** Occurrences that any dimension must survive; weights in 1/1024. */
const ODD: readonly Weighted[] = [
  [6, '', 'unknown'],
  [3, 'null', 'unknown'],
  [3, '""', 'unknown'],
  plain(1, 'unknown'),
  [1, '42', 'other'],
  [1, '{"code":"US"}', 'other'],
  [1, '["US"]', 'other'],
  [1, 'true', 'other'],
  [1, `"${'y'.repeat(257)}"`, 'other'],
  [1, `"${'é'.repeat(129)}"`, 'other'],
  [1, '"a\\u0007b"', 'other'],
  [1, '"x\\u007fy"', 'other'],
  [1, '"\\ud83d"', 'other'],
  plain(1, 'z'.repeat(256)),
  plain(1, 'été:é 🌍, "q"'),
];

function dimension(name: string, field: string, values: readonly Weighted[], ukAsGb: boolean) {
  const rows = [...values, ...ODD];
  return {
    name,
    field,
    occurrences: rows.map(([, json, counts]) => ({
      json,
      counts: ukAsGb && counts === 'UK' ? 'GB' : counts,
    })),
    picker: new WeightedIndex(
      rows.map(([weight]) => weight),
      10,
    ),
  };
}

/** Country, device and format, in this order. `ukAsGb`: the value `UK` counts as `GB`. */
export function createDimensions(ukAsGb: boolean): readonly Dimension[] {
  const countries: Weighted[] = [
    plain(330, 'US'),
    plain(120, 'IN'),
    plain(90, 'DE'),
    plain(70, 'GB'),
    plain(50, 'UK'),
    plain(80, 'BR'),
    plain(70, 'FR'),
    plain(60, 'JP'),
    plain(50, 'MX'),
    plain(40, 'PL'),
    plain(30, 'Česko'),
    [10, '"U\\u0053"', 'US'],
  ];
  const devices: Weighted[] = [
    plain(600, 'mobile'),
    plain(280, 'desktop'),
    plain(90, 'tablet'),
    plain(30, 'tv'),
  ];
  const formats: Weighted[] = [
    plain(500, 'banner'),
    plain(260, 'video'),
    plain(160, 'native'),
    plain(80, 'interstitial'),
  ];
  return [
    dimension('country', 'country', countries, ukAsGb),
    dimension('device', 'device', devices, false),
    dimension('format', 'ad_format', formats, false),
  ];
}
