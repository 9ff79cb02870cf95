import { createHash } from 'node:crypto';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * One text per JSON value: no spaces, keys sorted by UTF-16 code units, numbers and strings as
 * ECMAScript writes them (RFC 8785, JSON Canonicalization Scheme).
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as JsonValue)}`);
  return `{${members.join(',')}}`;
}

/** How many bytes of UTF-8 `canonicalJson` gives, without making the text. */
export function canonicalBytes(value: JsonValue): number {
  if (typeof value === 'string') return textBytes(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value).length;
  // Brackets, and a comma before each item but the first.
  const frame = (items: number): number => 2 + Math.max(0, items - 1);
  if (isArray(value))
    return value.reduce((sum: number, one) => sum + canonicalBytes(one), frame(value.length));
  const members = Object.entries(value);
  return members.reduce(
    (sum, [key, one]) => sum + textBytes(key) + 1 + canonicalBytes(one),
    frame(members.length),
  );
}

const encoder = new TextEncoder();

function textBytes(text: string): number {
  return encoder.encode(JSON.stringify(text)).length;
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** SHA-256 of the text's UTF-8 bytes, as 64 lower-case hex digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
