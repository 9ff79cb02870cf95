import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Check, Errors } from 'typebox/schema';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { packageFile } from '../../runtime/package-root.js';
import { KAFKA_VERSION } from '../../runtime/stack/kafka-jars.js';
import { TEMPORAL_VERSION } from '../../runtime/stack/temporal-binary.js';

// The Compose Specification's own schema (Apache-2.0), from the Go module
// github.com/compose-spec/compose-go/v2 v2.16.2, schema/compose-spec.json.
const SCHEMA = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'compose-spec.schema.json'), 'utf8'),
) as object;

interface ComposeFile {
  readonly services: Readonly<
    Record<string, { image: string; ports: string[]; volumes: string[]; environment?: object }>
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

function composeFile(): ComposeFile {
  return parse(readFileSync(packageFile('docker-compose.yml'), 'utf8')) as ComposeFile;
}

it('docker-compose.yml is valid by the Compose Specification', () => {
  expect(Errors(SCHEMA, composeFile())).toEqual([true, []]);
});

it('the schema refuses a misspelt key, a port that is none, and a service without a mapping', () => {
  const { services, volumes } = composeFile();
  const wrong = (service: unknown) => ({ services: { ...services, kafka: service }, volumes });
  expect(Check(SCHEMA, wrong({ ...services['kafka'], enviroment: {} }))).toBe(false);
  expect(Check(SCHEMA, wrong({ ...services['kafka'], ports: [{ published: [] }] }))).toBe(false);
  expect(Check(SCHEMA, wrong(null))).toBe(false);
});

it('brings the three servers in the pinned versions, on localhost only, with named volumes', () => {
  const { services, volumes } = composeFile();
  expect(Object.keys(services).sort()).toEqual(['kafka', 'postgres', 'temporal']);
  expect(services['kafka']?.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
  expect(services['temporal']?.image).toBe(`temporalio/temporal:${TEMPORAL_VERSION}`);
  expect(services['kafka']?.environment).toMatchObject({
    KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE: 'LogAppendTime',
  });
  for (const service of Object.values(services)) {
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    for (const volume of service.volumes)
      expect(volumes).toHaveProperty(volume.split(':')[0] ?? '');
  }
});
