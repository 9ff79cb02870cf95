import { Check } from 'typebox/value';
import { parse as parseYaml } from 'yaml';
import { TruecountError } from '../../core/errors.js';
import { EXPECTED, faultsOf } from './faults.js';
import { MappingSchema } from './mapping-schema.js';
import type { Mapping } from './mapping-schema.js';

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
  const faults = faultsOf(document);
  if (faults.length === 0 && Check(MappingSchema, document)) return document;
  const keys = new Set(faults.flatMap(({ key }) => key ?? []));
  throw invalid(
    name,
    faults.map(({ text: what }) => what),
    keys.size === 0 ? Object.values(EXPECTED) : [...keys].map((key) => EXPECTED[key]!),
  );
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

function invalid(name: string, problems: string[], expected: string[]): TruecountError {
  return new TruecountError('invalid_mapping', `mapping ${name}: ${problems.join('; ')}`, {
    hint: expected.join('\n      '),
    context: { mapping: name, problems },
  });
}
