import Type, { type Static } from 'typebox';
import { differenceBetween } from '../../core/rules/difference.js';
import type { PartChange } from '../../core/rules/difference.js';
import type { TableChange } from '../../core/rules/table-changes.js';
import type { Reader } from '../../store/read/connection.js';
import { CountSchema } from '../schemas.js';
import { HashSchema, findRuleSet, type FoundRuleSet } from './rules.js';

const Row = Type.Array(Type.String(), { description: 'the key, then a text per column' });

const Parts = (what: string) =>
  Type.Array(
    Type.Object({
      name: Type.String(),
      change: Type.Enum(['added', 'removed', 'changed', 'rewritten'], {
        description: 'rewritten: it means the same, although it is written otherwise',
      }),
      members: Type.Array(
        Type.Object({
          place: Type.String({ description: 'as map["UK"]' }),
          before: Type.Optional(Type.Unknown({ description: 'left out: it was not there' })),
          after: Type.Optional(Type.Unknown({ description: 'left out: it is there no more' })),
        }),
      ),
    }),
    { description: `${what} that are not the same` },
  );

export const DifferenceDocument = Type.Object(
  {
    ...{ before: HashSchema, after: HashSchema },
    equal: Type.Boolean(),
    same_meaning: Type.Boolean({ description: 'no count changes' }),
    dimensions: Parts('dimensions'),
    filters: Parts('filters, by their reasons,'),
    filters_moved: Type.Boolean({
      description: 'filters that both have follow each other otherwise: the first that holds is it',
    }),
    values: Parts('values'),
    tables: Type.Array(
      Type.Object({
        name: Type.String(),
        change: Type.Enum(['added', 'removed', 'changed']),
        shape: Type.Optional(Type.Object({ before: Type.String(), after: Type.String() })),
        ...{ rows_before: CountSchema, rows_after: CountSchema },
        ...{ added: Type.Array(Row), removed: Type.Array(Row) },
        changed: Type.Array(Type.Object({ before: Row, after: Row })),
      }),
      { description: 'tables that are not the same; only order is no change' },
    ),
  },
  { description: 'what is different between two rule sets' },
);

/** Answers what is different between two stored rule sets; throws as `findRuleSet`. */
export async function answerDifference(
  reader: Reader,
  asked: { readonly a: string; readonly b: string },
): Promise<Static<typeof DifferenceDocument>> {
  const before = await findRuleSet(reader, asked.a);
  return differenceDocument(before, await findRuleSet(reader, asked.b));
}

/** The difference between two rule sets as one document. */
export function differenceDocument(
  before: Pick<FoundRuleSet, 'hash' | 'ruleSet'>,
  after: Pick<FoundRuleSet, 'hash' | 'ruleSet'>,
): Static<typeof DifferenceDocument> {
  const found = differenceBetween(before.ruleSet, after.ruleSet);
  return {
    ...{ before: before.hash, after: after.hash },
    ...{ equal: found.equal, same_meaning: found.sameMeaning },
    dimensions: found.dimensions.map(partDocument),
    filters: found.filters.map(partDocument),
    filters_moved: found.filtersMoved,
    values: found.values.map(partDocument),
    tables: found.tables.map(tableDocument),
  };
}

function partDocument({ name, change, members }: PartChange) {
  return { name, change, members: [...members] };
}

function tableDocument({ name, change, shape, rows }: TableChange) {
  const { before, after, added, removed, changed } = rows;
  const listed = (all: readonly (readonly string[])[]): string[][] => all.map((row) => [...row]);
  return {
    ...{ name, change, ...(shape === undefined ? {} : { shape }) },
    ...{ rows_before: before, rows_after: after },
    ...{ added: listed(added), removed: listed(removed) },
    changed: changed.map((row) => ({ before: [...row.before], after: [...row.after] })),
  };
}
