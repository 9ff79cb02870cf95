import { canonicalBytes, type JsonValue } from './canonical-json.js';
import { invalid } from './json-shape.js';
import { RULE_SET_BYTES_MAX, type RuleSet } from './rule-set.js';

/**
 * Checks the bytes of all of a rule set.
 * @param bytesMax another limit, for tests
 * @throws TruecountError invalid_rule_set, with the place of the largest part
 */
export function checkSize(ruleSet: RuleSet, bytesMax = RULE_SET_BYTES_MAX): void {
  const bytes = bytesOf(ruleSet);
  if (bytes <= bytesMax) return;
  const { tables = {}, values = [], filters = [], dimensions } = ruleSet;
  const parts = [
    ...Object.entries(tables).map(([name, table]) => partOf(`tables["${name}"]`, table)),
    ...Object.entries({ values, filters, dimensions }).flatMap(([kind, list]) =>
      list.map((part, i) => partOf(`${kind}[${String(i)}]`, part)),
    ),
  ];
  const largest = parts.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  throw invalid(
    largest.place,
    `has ${String(largest.bytes)} bytes of the ${String(bytes)} of the rule set, ` +
      `of which at most ${String(bytesMax)} fit`,
  );
}

function partOf(place: string, part: object): { readonly place: string; readonly bytes: number } {
  return { place, bytes: bytesOf(part) };
}

function bytesOf(part: object): number {
  return canonicalBytes(part as JsonValue);
}
