import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { TruecountError } from '../../core/errors.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../../workflows/search-attribute-types.js';
import type { TemporalConnection } from './client.js';

const ALL = Object.entries(SEARCH_ATTRIBUTE_TYPES);
const POLL_MS = 200;
const VISIBLE_MS = 60_000;

/**
 * Registers the search attributes of the workflows that the namespace lacks, and returns once it
 * knows them: a workflow that sets an unknown one would not get on.
 * @throws TruecountError `not_ready` if they do not show up, `conflict` for one of another type
 */
export async function ensureSearchAttributes(
  { connection }: Pick<TemporalConnection, 'connection'>,
  namespace: string,
): Promise<void> {
  const endMs = performance.now() + VISIBLE_MS;
  let asked = false;
  for (;;) {
    const { customAttributes = {} } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const lacking = ALL.filter(([name]) => !(name in customAttributes));
    if (lacking.length === 0) {
      assertTypes(customAttributes);
      return;
    }
    if (!asked) {
      asked = true;
      const searchAttributes = Object.fromEntries(
        lacking.map(([name, type]) => [name, encodeSearchAttributeIndexedValueType(type)!]),
      );
      // Another worker may be registering them as well.
      await connection.operatorService
        .addSearchAttributes({ namespace, searchAttributes })
        .catch((error: unknown) => {
          if (!/already exist/i.test(String(error))) throw error;
        });
    }
    if (performance.now() > endMs) {
      const names = lacking.map(([name]) => name).join(', ');
      throw new TruecountError('not_ready', `Temporal does not register ${names}`, {
        hint: 'temporal operator search-attribute create --name … --type …',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function assertTypes(found: Readonly<Record<string, number>>): void {
  for (const [name, type] of ALL) {
    if (found[name] === encodeSearchAttributeIndexedValueType(type)) continue;
    throw new TruecountError('conflict', `search attribute ${name} is of another type`, {
      hint: `temporal operator search-attribute remove --name ${name}, or use another namespace`,
    });
  }
}
