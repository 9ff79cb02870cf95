#!/usr/bin/env node
import { main } from './program.js';
import { endWithReader } from './run-program.js';

endWithReader();
process.exitCode = await main(process.argv.slice(2));
