import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/stack.js';
import { finishWorld } from './final-world.js';
import { buildWorld } from './world.js';

export interface AuditedWorld {
  database: TestDatabase;
  /** Of its lake. */
  folder: string;
}

/** For each test of a file a sound world of its own, live hours and final ones; gone after it. */
export function auditedWorld(): AuditedWorld {
  const world = {} as AuditedWorld;
  beforeEach(async () => {
    world.database = await freshDatabase();
    world.folder = await mkdtemp(join(tmpdir(), 'truecount-audit-'));
    const { database, folder } = world;
    await buildWorld(database.pool);
    await finishWorld(database.pool, database.url, folder);
  });
  afterEach(async () => {
    await world.database.close();
    await rm(world.folder, { recursive: true });
  });
  return world;
}
