import { readFileSync, readdirSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { MappingSchema } from '../../ingest/mapping/mapping-schema.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { packageFile } from '../../runtime/package-root.js';

const PAGE = packageFile('docs', 'reference', 'mapping.schema.json');

const HEAD = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://truecount.dev/mapping.schema.json',
  title: 'Mapping of truecount',
  description:
    'How the columns of a file become a click. docs/reference/mappings.md says what each member means.',
};

/** Right nine times of ten. */
function mostly<T>(right: T, wrong: T): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constant(right) },
    { weight: 1, arbitrary: fc.constant(wrong) },
  );
}

function published(): object {
  return JSON.parse(readFileSync(PAGE, 'utf8')) as object;
}

describe('docs/reference/mapping.schema.json', () => {
  // After a change of the schema: npx vitest run test/ingest/mapping-schema -u
  it('is what mappings are checked by', async () => {
    const text = JSON.stringify({ ...HEAD, ...MappingSchema });
    const options = await resolveConfig(PAGE);
    await expect(await format(text, { ...options, parser: 'json' })).toMatchFileSnapshot(PAGE);
  });

  it('accepts every example', () => {
    const accepts = new Ajv2020({ strict: true }).compile(published());
    const examples = readdirSync(packageFile('examples')).filter((name) =>
      name.endsWith('.mapping.yaml'),
    );
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const name of examples) {
      const text = readFileSync(packageFile('examples', name), 'utf8');
      expect(accepts(parseYaml(text)), `${name}: ${JSON.stringify(accepts.errors)}`).toBe(true);
      parseMapping(text, name);
    }
  });

  it('refuses nothing that the parser takes, and lets nothing of the wrong form pass', () => {
    const accepts = new Ajv2020({ strict: true }).compile(published());
    const column = fc.record({ column: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '', 7) });
    const value = fc.oneof(
      column,
      fc.record({ value: mostly('x', '') }),
      fc.record({ position: mostly(true, false) }),
      fc.record({ column: fc.constant('a'), decode: mostly('percent', 'hex') }),
    );
    const mapping = fc.record(
      {
        event_id: value,
        ad_id: value,
        timestamp: fc.record({ column: fc.constant('t'), format: mostly('clf', '') }),
        fields: fc.dictionary(fc.constantFrom('country', 'device'), value),
        csv: fc.record({ delimiter: mostly(';', ';;') }),
        log: fc.record({ format: mostly('%h %t', '') }),
      },
      { requiredKeys: ['event_id', 'ad_id', 'timestamp'] },
    );
    const verdicts = { taken: 0, refused: 0 };
    expect(accepts({})).toBe(false);
    const property = fc.property(mapping, (document) => {
      let isTaken = true;
      try {
        parseMapping(JSON.stringify(document), 'm');
      } catch {
        isTaken = false;
      }
      expect(accepts(document), JSON.stringify(document)).toBe(isTaken);
      verdicts[isTaken ? 'taken' : 'refused'] += 1;
    });
    fc.assert(property, { numRuns: 1_000 });
    expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(10);
  });
});
