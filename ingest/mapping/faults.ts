import { Errors } from 'typebox/value';
import { compileLogFormat } from './log-format.js';
import { MappingSchema, ValueSchema } from './mapping-schema.js';
import { timestampReader } from './timestamp.js';

/** What each key looks like when it is right: the hint of every error. */
export const EXPECTED: Readonly<Record<string, string>> = {
  event_id: 'event_id: {column: NAME}, or {position: true} where the source has no ids',
  ad_id: 'ad_id: {column: NAME}, or {value: TEXT}',
  timestamp:
    'timestamp: {column: NAME, format: rfc3339 | epoch_ms | epoch_s | clf | ' +
    "'yyyy-MM-dd HH:mm:ss'}",
  fields: 'fields: {country: {column: NAME}, ad_format: {value: TEXT}, …}',
  csv: 'csv: {delimiter: ";", columns: [names, if, the, file, has, no, header]}',
  log: `log: {format: '%h %l %u %t "%r" %>s %b'}, as in the server's LogFormat or log_format`,
};

/** The keys that there are under each key; under `fields`, in each of them. */
const { event_id, ad_id, timestamp, csv, log } = MappingSchema.properties;
const KEYS: Readonly<Record<string, readonly string[]>> = {
  event_id: keysOf(...event_id.anyOf),
  ad_id: keysOf(...ad_id.anyOf),
  timestamp: keysOf(timestamp),
  fields: keysOf(...ValueSchema.anyOf),
  csv: keysOf(csv),
  log: keysOf(log),
};
const NEEDED = ['event_id', 'ad_id', 'timestamp'];

/** What is wrong with a mapping: in words, and under which of its keys, if it is one. */
export interface Fault {
  readonly key: string | undefined;
  readonly text: string;
}

/** All that can be said of a document at once. */
export function faultsOf(document: unknown): Fault[] {
  if (!isObject(document)) {
    return [{ key: undefined, text: 'is no mapping of keys to values' }];
  }
  const known = Object.keys(EXPECTED);
  const unknown = unknownKeys('', document, known, undefined);
  const missing = NEEDED.filter((key) => !(key in document));
  const named = known.flatMap((key) => misnamed(key, document[key]));
  const said = new Set(named.map(({ place }) => place));
  const misshaped = wrongPlaces(document).filter((place) => !said.has(place));
  return [
    ...unknown,
    ...missing.map((key) => ({ key, text: `${key}: is missing` })),
    ...named,
    ...misshaped.map((place) => ({
      key: place.split('.')[0],
      text: `${place}: is not of the expected form`,
    })),
    ...reservedFields(document),
    ...formatFault('timestamp', document, timestampReader),
    ...formatFault('log', document, compileLogFormat),
  ];
}

/** Keys that do not exist, under a key that does. */
function misnamed(key: string, value: unknown): (Fault & { readonly place: string })[] {
  if (!isObject(value)) return [];
  const places = key === 'fields' ? Object.entries(value) : [[key, value] as const];
  return places.flatMap(([name, inner]) => {
    const place = key === 'fields' ? `fields.${name}` : key;
    if (!isObject(inner)) return [];
    return unknownKeys(`${place}.`, inner, KEYS[key]!, key).map((fault) => ({ ...fault, place }));
  });
}

function unknownKeys(
  prefix: string,
  value: object,
  known: readonly string[],
  key: string | undefined,
): Fault[] {
  const unknown = Object.keys(value).filter((one) => !known.includes(one));
  const there = `there is no such key (there are ${known.join(', ')})`;
  return unknown.map((one) => ({ key, text: `${prefix}${one}: ${there}` }));
}

/** Where the document is not as the schema says: a parent only if none of its children is listed. */
function wrongPlaces(document: object): string[] {
  const wrong = new Set<string>();
  for (const { instancePath } of Errors(MappingSchema, document)) {
    const path = instancePath.split('/').slice(1);
    const [key] = path;
    if (key === undefined || !Object.hasOwn(EXPECTED, key)) continue;
    wrong.add(path.slice(0, ['fields', 'csv', 'log'].includes(key) ? 2 : 1).join('.'));
  }
  return [...wrong].filter((a) => ![...wrong].some((b) => b.startsWith(`${a}.`)));
}

function reservedFields({ fields }: Record<string, unknown>): Fault[] {
  if (!isObject(fields)) return [];
  return Object.keys(fields)
    .filter((field) => NEEDED.includes(field))
    .map((field) => ({
      key: field,
      text: `fields.${field}: belongs at the top of the mapping, not under fields`,
    }));
}

function formatFault(
  key: 'timestamp' | 'log',
  document: Record<string, unknown>,
  compile: (format: string) => unknown,
): Fault[] {
  const value = document[key];
  if (!isObject(value) || typeof value['format'] !== 'string' || value['format'] === '') return [];
  try {
    compile(value['format']);
    return [];
  } catch (error) {
    return [{ key, text: `${key}.format: ${(error as RangeError).message}` }];
  }
}

function keysOf(...shapes: readonly { readonly properties: object }[]): readonly string[] {
  return [...new Set(shapes.flatMap(({ properties }) => Object.keys(properties)))];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
