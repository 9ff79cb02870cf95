import { Check, Errors } from 'typebox/value';
import { parse as parseYaml } from 'yaml';
import { TruecountError } from '../../core/errors.js';
import { compileLogFormat } from './log-format.js';
import { MappingSchema } from './mapping-schema.js';
import type { Mapping } from './mapping-schema.js';
import { timestampReader } from './timestamp.js';

/** What each key looks like when it is right: the hint of every error. */
const EXPECTED: Readonly<Record<string, string>> = {
  event_id: 'event_id: {column: NAME}, or {position: true} where the source has no ids',
  ad_id: 'ad_id: {column: NAME}, or {value: TEXT}',
  timestamp:
    'timestamp: {column: NAME, format: rfc3339 | epoch_ms | epoch_s | clf | ' +
    "'yyyy-MM-dd HH:mm:ss'}",
  fields: 'fields: {country: {column: NAME}, ad_format: {value: TEXT}, …}',
  csv: 'csv: {delimiter: ";", columns: [names, if, the, file, has, no, header]}',
  log: `log: {format: '%h %l %u %t "%r" %>s %b'}, as in the server's LogFormat or log_format`,
};

/**
 * Reads a mapping from YAML (or JSON, which is YAML). `name` is said in errors.
 * @throws TruecountError `invalid_mapping` with all that is wrong, where, and what to write.
 */
export function parseMapping(text: string, name: string): Mapping {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(name, [`is neither YAML nor JSON: ${why}`], Object.values(EXPECTED));
  }
  if (!Check(MappingSchema, document)) throw shapeError(name, document);
  const problems = reservedFields(document);
  try {
    timestampReader(document.timestamp.format);
  } catch (error) {
    problems.push(`timestamp.format: ${(error as RangeError).message}`);
  }
  if (document.log !== undefined) {
    try {
      compileLogFormat(document.log.format);
    } catch (error) {
      problems.push(`log.format: ${(error as RangeError).message}`);
    }
  }
  if (problems.length > 0) throw invalid(name, problems, [EXPECTED['timestamp']!]);
  return document;
}

/**
 * Refuses what a mapping says of files only, where the sources are JSON objects (a redrive).
 * @throws TruecountError `invalid_mapping`
 */
export function checkRedriveMapping(mapping: Mapping, name: string): void {
  const keys = (['csv', 'log'] as const).filter((key) => mapping[key] !== undefined);
  if (keys.length === 0) return;
  const problem = 'the records are JSON objects, a column is a member of them';
  throw invalid(
    name,
    keys.map((key) => `${key}: ${problem}`),
    [`leave ${keys.join(' and ')} out`],
  );
}

/** The names of all columns that a mapping reads. */
export function mappedColumns(mapping: Mapping): string[] {
  const { event_id: eventId, ad_id: adId, timestamp, fields } = mapping;
  const all = [eventId, adId, timestamp, ...Object.values(fields ?? {})];
  return [...new Set(all.flatMap((one) => ('column' in one ? [one.column] : [])))];
}

function reservedFields(mapping: Mapping): string[] {
  return Object.keys(mapping.fields ?? {})
    .filter((field) => ['event_id', 'ad_id', 'timestamp'].includes(field))
    .map((field) => `fields.${field}: belongs at the top of the mapping, not under fields`);
}

function shapeError(name: string, document: unknown): TruecountError {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return invalid(name, ['is no mapping of keys to values'], Object.values(EXPECTED));
  }
  const known = Object.keys(EXPECTED);
  const unknown = Object.keys(document).filter((key) => !known.includes(key));
  const missing = ['event_id', 'ad_id', 'timestamp'].filter((key) => !(key in document));
  const wrong = new Set<string>();
  for (const { instancePath } of Errors(MappingSchema, document)) {
    const path = instancePath.split('/').slice(1);
    if (path[0] !== undefined && known.includes(path[0])) {
      wrong.add(path.slice(0, ['fields', 'csv', 'log'].includes(path[0]) ? 2 : 1).join('.'));
    }
  }
  // A parent is listed only when none of its children is: the most exact place.
  const places = [...wrong].filter((a) => ![...wrong].some((b) => b.startsWith(`${a}.`)));
  const problems = [
    ...unknown.map((key) => `${key}: there is no such key (there are ${known.join(', ')})`),
    ...missing.map((key) => `${key}: is missing`),
    ...places.map((place) => `${place}: is not of the expected form`),
  ];
  const keys = [...missing, ...places.map((place) => place.split('.')[0]!)];
  return invalid(
    name,
    problems,
    [...new Set(keys)].map((key) => EXPECTED[key]!),
  );
}

function invalid(name: string, problems: string[], expected: string[]): TruecountError {
  return new TruecountError('invalid_mapping', `mapping ${name}: ${problems.join('; ')}`, {
    hint: expected.length > 0 ? expected.join('\n      ') : EXPECTED['fields']!,
    context: { mapping: name, problems },
  });
}
