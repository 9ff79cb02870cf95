import type { FieldValue } from '../click/click.js';
import { canonicalJson, sha256Hex } from './canonical-json.js';
import { TruecountError } from '../errors.js';
import { isSafeText } from '../text.js';
import { DIMENSION_NAME, filterText, isDimensionValue } from './filter.js';

/** Each dimension is one more cell per click. */
export const DIMENSIONS_MAX = 16;
/** Values that one dimension may map. */
export const MAP_ENTRIES_MAX = 10_000;

/** Fields that say which click it is; counting by them would make a cell per click. */
const IDENTITY_FIELDS = ['event_id', 'ad_id', 'timestamp'];
const FIELD_CHARS_MAX = 128;

/** One dimension of the counts: every click gets exactly one value of it. */
export interface Dimension {
  /** Left of the colon in a filter: `[a-z][a-z0-9_]{0,31}`, unique in the rule set. */
  readonly name: string;
  /** The click's field that holds the value; no two dimensions share one. */
  readonly field: string;
  /** Values to be counted as another value, such as `UK` as `GB`. Applied once, not chained. */
  readonly map?: Readonly<Record<string, string>>;
}

/** How a click becomes cells. Plain JSON data; `hashRuleSet` names it by its content. */
export interface RuleSet {
  readonly version: 1;
  readonly dimensions: readonly Dimension[];
}

export const DEFAULT_RULE_SET: RuleSet = {
  version: 1,
  dimensions: [
    { name: 'country', field: 'country', map: { UK: 'GB' } },
    { name: 'device', field: 'device' },
    { name: 'format', field: 'ad_format' },
  ],
};

/** The value of a click that has none, and of one that cannot be a value. */
export const UNKNOWN_VALUE = 'unknown';
export const OTHER_VALUE = 'other';

/** The empty filter: the unfiltered total. */
export const TOTAL_FILTER = '';

/** The canonical JSON (RFC 8785) that is stored and hashed. */
export function ruleSetBody(ruleSet: RuleSet): string {
  const dimensions = ruleSet.dimensions.map(({ name, field, map }) =>
    map === undefined ? { name, field } : { name, field, map },
  );
  return canonicalJson({ version: ruleSet.version, dimensions });
}

/** SHA-256 of `ruleSetBody` in hex: the name by which hours pin a rule set. */
export function hashRuleSet(ruleSet: RuleSet): string {
  return sha256Hex(ruleSetBody(ruleSet));
}

/** The fields to ask the decoder for; the click's `fields` then match `dimensions` by index. */
export function fieldsOf(ruleSet: RuleSet): readonly string[] {
  return ruleSet.dimensions.map((dimension) => dimension.field);
}

/**
 * The filter that a field's value counts under: `country:GB`. A value that reads `unknown` or
 * `other` in the click shares its cell with absent and unusable values: all of them are one value
 * to the advertiser, and a dimension's values still add up to the total (I4).
 */
export function filterOf(dimension: Dimension, value: FieldValue): string {
  return filterText(dimension.name, dimensionValue(dimension, value));
}

function dimensionValue(dimension: Dimension, value: FieldValue): string {
  if (value.kind === 'absent') return UNKNOWN_VALUE;
  if (value.kind === 'other') return OTHER_VALUE;
  const { map } = dimension;
  const mapped = map !== undefined && Object.hasOwn(map, value.text) ? map[value.text] : undefined;
  return mapped ?? value.text;
}

/**
 * The filters of the cells that one click adds 1 to: the total, then one per dimension. `fields`
 * are the click's, decoded with `fieldsOf(ruleSet)`.
 */
export function filtersOf(fields: readonly FieldValue[], ruleSet: RuleSet): string[] {
  const filters = ruleSet.dimensions.map((dimension, i) =>
    filterOf(dimension, fields[i] ?? { kind: 'absent' }),
  );
  return [TOTAL_FILTER, ...filters];
}

/**
 * Reads a rule set from JSON text.
 * @throws TruecountError invalid_rule_set, with the place (`dimensions[1].map`) and the reason
 */
export function parseRuleSetJson(text: string): RuleSet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('the rule set', 'is not JSON', cause);
  }
  return parseRuleSet(value);
}

/**
 * Checks a parsed JSON value and returns it as a rule set, without anything unknown in it.
 * @throws TruecountError invalid_rule_set, with the place and the reason
 */
export function parseRuleSet(value: unknown): RuleSet {
  const root = objectAt('the rule set', value, ['version', 'dimensions']);
  if (root['version'] !== 1) throw invalid('version', 'must be 1');
  const list = root['dimensions'];
  if (!Array.isArray(list)) throw invalid('dimensions', 'must be an array');
  if (list.length > DIMENSIONS_MAX) {
    throw invalid(
      'dimensions',
      `has ${String(list.length)}, at most ${String(DIMENSIONS_MAX)} fit`,
    );
  }
  const dimensions = list.map((item, i) => parseDimension(`dimensions[${String(i)}]`, item));
  refuseRepeats('name', dimensions);
  refuseRepeats('field', dimensions);
  return { version: 1, dimensions };
}

function parseDimension(place: string, value: unknown): Dimension {
  const { name, field, map } = objectAt(place, value, ['name', 'field', 'map']);
  if (typeof name !== 'string' || !DIMENSION_NAME.test(name)) {
    throw invalid(`${place}.name`, `must match ${DIMENSION_NAME.source}`);
  }
  if (typeof field !== 'string' || field === '' || field.length > FIELD_CHARS_MAX) {
    throw invalid(
      `${place}.field`,
      `must be a string of 1 to ${String(FIELD_CHARS_MAX)} characters`,
    );
  }
  if (!isSafeText(field)) {
    throw invalid(`${place}.field`, 'must hold no control characters or lone surrogates');
  }
  if (IDENTITY_FIELDS.includes(field)) {
    throw invalid(`${place}.field`, `must not be ${field}: it tells clicks apart`);
  }
  return map === undefined ? { name, field } : { name, field, map: parseMap(place, map) };
}

function parseMap(dimension: string, value: unknown): Record<string, string> {
  const place = `${dimension}.map`;
  const entries = Object.entries(objectAt(place, value));
  if (entries.length > MAP_ENTRIES_MAX) {
    throw invalid(place, `has more than ${String(MAP_ENTRIES_MAX)} entries`);
  }
  const rule = 'must be 1 to 256 bytes of text without control characters';
  for (const [from, to] of entries) {
    if (!isDimensionValue(from)) throw invalid(`${place} key ${JSON.stringify(from)}`, rule);
    if (typeof to !== 'string' || !isDimensionValue(to)) {
      throw invalid(`${place}[${JSON.stringify(from)}]`, rule);
    }
  }
  // fromEntries defines own properties, also for a key like "__proto__".
  return Object.fromEntries(entries) as Record<string, string>;
}

function refuseRepeats(key: 'name' | 'field', dimensions: readonly Dimension[]): void {
  const first = new Map<string, number>();
  dimensions.forEach((dimension, i) => {
    const before = first.get(dimension[key]);
    if (before !== undefined) {
      throw invalid(
        `dimensions[${String(i)}].${key}`,
        `repeats ${JSON.stringify(dimension[key])} of dimensions[${String(before)}]`,
      );
    }
    first.set(dimension[key], i);
  });
}

/** An object; with `allowed`, one that has no other keys than these. */
function objectAt(
  place: string,
  value: unknown,
  allowed?: readonly string[],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(place, 'must be an object');
  }
  const stranger = Object.keys(value).find((key) => allowed?.includes(key) === false);
  if (stranger !== undefined) {
    throw invalid(place, `has an unknown key ${JSON.stringify(stranger)}`);
  }
  return value as Record<string, unknown>;
}

function invalid(place: string, reason: string, cause?: unknown): TruecountError {
  return new TruecountError('invalid_rule_set', `invalid rule set: ${place} ${reason}`, {
    context: { place, reason },
    cause,
  });
}
