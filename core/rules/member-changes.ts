import { canonicalJson } from './canonical-json.js';
import type { JsonValue } from './canonical-json.js';

/** A member of a JSON value that is another one, or was not there before, or is there no more. */
export interface MemberChange {
  /** `map["UK"]`, `score.terms[1].otherwise`; of a list of texts the list, one change per text. */
  readonly place: string;
  /** Left out: it was not there. */
  readonly before?: JsonValue;
  /** Left out: it is there no more. */
  readonly after?: JsonValue;
}

/** The innermost members in which two JSON values differ, in the order of their places. */
export function membersBetween(before: JsonValue, after: JsonValue, place = ''): MemberChange[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  if (isTexts(before) && isTexts(after)) return textsBetween(place, before, after);
  if (isList(before) && isList(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, i) =>
      between(`${place}[${String(i)}]`, before[i], after[i]),
    ).flat();
  }
  if (!isObject(before) || !isObject(after)) return [{ place, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => between(under(place, key), own(before, key), own(after, key)));
}

function between(
  place: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): MemberChange[] {
  if (before !== undefined && after !== undefined) return membersBetween(before, after, place);
  return [
    {
      place,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}

/** Texts that came or went; if only their order is another one, both lists. */
function textsBetween(
  place: string,
  before: readonly string[],
  after: readonly string[],
): MemberChange[] {
  const [old, now] = [new Set(before), new Set(after)];
  const removed = before.filter((text) => !now.has(text));
  const added = after.filter((text) => !old.has(text));
  if (removed.length + added.length === 0) return [{ place, before, after }];
  return [
    ...removed.map((text) => ({ place, before: text })),
    ...added.map((text) => ({ place, after: text })),
  ];
}

function under(place: string, key: string): string {
  if (!/^[A-Za-z]\w*$/.test(key) || place.endsWith('map') || place.endsWith('weights')) {
    return `${place}[${JSON.stringify(key)}]`;
  }
  return place === '' ? key : `${place}.${key}`;
}

type Members = { readonly [key: string]: JsonValue };

function own(value: Members, key: string): JsonValue | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isTexts(value: JsonValue): value is readonly string[] {
  return isList(value) && value.every((one) => typeof one === 'string');
}

function isObject(value: JsonValue): value is Members {
  return typeof value === 'object' && value !== null && !isList(value);
}
