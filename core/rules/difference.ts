import { canonicalJson } from './canonical-json.js';
import type { JsonValue } from './canonical-json.js';
import { definitionsOf } from './definitions.js';
import { membersBetween } from './member-changes.js';
import type { MemberChange } from './member-changes.js';
import { ruleSetBody } from './rule-set.js';
import type { Filter, RuleSet, Value } from './rule-set.js';
import { tablesBetween } from './table-changes.js';
import type { TableChange } from './table-changes.js';

/**
 * `rewritten`: it means the same, although it is written otherwise. `changed` without members: by what
 * it is made of.
 */
export type Change = 'added' | 'removed' | 'changed' | 'rewritten';

/** What happened to one value, dimension or filter. */
export interface PartChange {
  /** Of a value or dimension its name, of a filter its reason. */
  readonly name: string;
  readonly change: Change;
  readonly members: readonly MemberChange[];
}

/** What is different between two rule sets; what is not named is the same. */
export interface RuleSetDifference {
  /** Their bodies are equal, and so their hashes. */
  readonly equal: boolean;
  /** Every click is counted under the same values and filtered for the same reason. */
  readonly sameMeaning: boolean;
  readonly dimensions: readonly PartChange[];
  readonly filters: readonly PartChange[];
  /** Filters that both have follow each other otherwise: where several hold, the first is the reason. */
  readonly filtersMoved: boolean;
  readonly values: readonly PartChange[];
  readonly tables: readonly TableChange[];
}

/** Compares two rule sets that were checked. Parts that are `rewritten` are so by `definitionsOf`. */
export function differenceBetween(before: RuleSet, after: RuleSet): RuleSetDifference {
  const [was, is] = [definitionsOf(before), definitionsOf(after)];
  const dimensions = partsBetween(
    named(before.dimensions, was.dimensions),
    named(after.dimensions, is.dimensions),
  );
  const [filtersBefore, filtersAfter] = [filtersOf(before, was.each), filtersOf(after, is.each)];
  const shared = (all: readonly Part[], others: readonly Part[]): string[] =>
    all.map(({ key }) => key).filter((key) => others.some((other) => other.key === key));
  const kept = [shared(filtersBefore, filtersAfter), shared(filtersAfter, filtersBefore)];
  return {
    equal: ruleSetBody(before) === ruleSetBody(after),
    sameMeaning:
      was.filters === is.filters && dimensions.every(({ change }) => change === 'rewritten'),
    dimensions,
    filters: partsBetween(filtersBefore, filtersAfter),
    filtersMoved: kept[0]!.join('\n') !== kept[1]!.join('\n'),
    values: partsBetween(named(before.values, was.values), named(after.values, is.values)),
    tables: tablesBetween(before.tables ?? {}, after.tables ?? {}),
  };
}

interface Part {
  readonly key: string;
  readonly name: string;
  readonly body: JsonValue;
  /** Hash of what it means. */
  readonly definition: string;
}

function named(values: readonly Value[] = [], definitions: ReadonlyMap<string, string>): Part[] {
  return values.map((value) => ({
    ...{ key: value.name, name: value.name },
    body: value as unknown as JsonValue,
    definition: definitions.get(value.name)!,
  }));
}

/** Reasons may repeat: the second filter of a reason is compared with the second one. */
function filtersOf({ filters = [] }: RuleSet, definitions: readonly string[]): Part[] {
  const seen = new Map<string, number>();
  return filters.map((filter: Filter, i) => {
    const { reason } = filter;
    const nth = (seen.get(reason) ?? 0) + 1;
    seen.set(reason, nth);
    return {
      ...{ key: `${reason} ${String(nth)}`, name: reason },
      body: filter as unknown as JsonValue,
      definition: definitions[i]!,
    };
  });
}

/** What was removed, then the rest in the order of `after`. */
function partsBetween(before: readonly Part[], after: readonly Part[]): PartChange[] {
  const old = new Map(before.map((part) => [part.key, part]));
  const keys = new Set(after.map(({ key }) => key));
  const removed = before.filter(({ key }) => !keys.has(key));
  return [
    ...removed.map(({ name }): PartChange => ({ name, change: 'removed', members: [] })),
    ...after.flatMap((part): PartChange[] => {
      const was = old.get(part.key);
      if (was === undefined) return [{ name: part.name, change: 'added', members: [] }];
      const written = canonicalJson(was.body) === canonicalJson(part.body);
      const same = was.definition === part.definition;
      if (written && same) return [];
      const members = membersBetween(was.body, part.body);
      return [{ name: part.name, change: same ? 'rewritten' : 'changed', members }];
    }),
  ];
}
