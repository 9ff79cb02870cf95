/** Reads JSON values of a known shape; what is wrong is said with its place, `dimensions[1].map`. */
import { TruecountError } from '../errors.js';
import { ENTRIES_MAX } from './rule-set.js';

type Members = Readonly<Record<string, unknown>>;

export function invalid(place: string, reason: string, cause?: unknown): TruecountError {
  return new TruecountError('invalid_rule_set', `invalid rule set: ${place} ${reason}`, {
    context: { place, reason },
    cause,
  });
}

/** An object; with `allowed`, one that has no other keys than these. */
export function objectAt(place: string, value: unknown, allowed?: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(place, 'must be an object');
  }
  const stranger = Object.keys(value).find((key) => allowed?.includes(key) === false);
  if (stranger !== undefined) {
    throw invalid(place, `has an unknown key ${JSON.stringify(stranger)}`);
  }
  return value as Members;
}

/** A list of `min` to `max` items, each read by `item`, which gets its place. */
export function listAt<T>(
  place: string,
  value: unknown,
  item: (place: string, value: unknown) => T,
  { min = 0, max = ENTRIES_MAX }: { min?: number; max?: number } = {},
): T[] {
  if (value === undefined) throw invalid(place, 'is missing');
  if (!Array.isArray(value)) throw invalid(place, 'must be an array');
  if (value.length < min) throw invalid(place, `needs ${String(min)} or more`);
  if (value.length > max) {
    throw invalid(place, `has ${String(value.length)}, at most ${String(max)} fit`);
  }
  return value.map((one, i) => item(`${place}[${String(i)}]`, one));
}

/** An object of any keys, each value read by `entry`, which gets its place. */
export function entriesAt<T>(
  place: string,
  value: unknown,
  entry: (place: string, key: string, value: unknown) => T,
): Record<string, T> {
  const entries = Object.entries(objectAt(place, value));
  if (entries.length > ENTRIES_MAX) {
    throw invalid(place, `has more than ${String(ENTRIES_MAX)} entries`);
  }
  const read = entries.map(
    ([key, one]) => [key, entry(`${place}[${JSON.stringify(key)}]`, key, one)] as const,
  );
  // fromEntries defines own properties, also for a key like "__proto__".
  return Object.fromEntries(read);
}

/** A whole number from `min` to `max`. */
export function wholeAt(place: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(place, `must be a whole number from ${String(min)} to ${String(max)}`);
  }
  return value === 0 ? 0 : value;
}

/** Only `true` can be said; what is not wanted is left out. */
export function trueAt(place: string, value: unknown): true {
  if (value !== true) throw invalid(place, 'must be true, or left out');
  return true;
}

export function oneOfAt<T extends string>(place: string, value: unknown, all: readonly T[]): T {
  const found = all.find((one) => one === value);
  if (found === undefined) throw invalid(place, `must be one of ${all.join(', ')}`);
  return found;
}

/** The one of `kinds` that an object has. */
export function kindOf<T extends string>(place: string, value: Members, kinds: readonly T[]): T {
  const found = kinds.filter((kind) => value[kind] !== undefined);
  if (found.length !== 1) {
    const had = found.length === 0 ? 'none' : found.join(' and ');
    throw invalid(place, `must have one of ${kinds.join(', ')}; it has ${had}`);
  }
  return found[0]!;
}

/** The members that are there, each read by its function. */
export function membersAt<T extends object>(
  place: string,
  value: Members,
  readers: { readonly [K in keyof T]-?: (place: string, value: unknown) => T[K] },
): Partial<T> {
  const found = Object.entries(readers).filter(([key]) => value[key] !== undefined);
  const read = found.map(([key, reader]) => {
    const at = reader as (place: string, value: unknown) => unknown;
    return [key, at(`${place}.${key}`, value[key])] as const;
  });
  return Object.fromEntries(read) as Partial<T>;
}
