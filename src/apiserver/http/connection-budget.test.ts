import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { ConnectionBudget } from './connection-budget.ts';

const socket = () => new EventEmitter() as unknown as Socket;

test('connections are counted by their last user, and given back when they close', () => {
  const budget = new ConnectionBudget();
  const [first, second, third] = [socket(), socket(), socket()];
  assert.equal(budget.admit(first!, 'a', 2), true);
  assert.equal(budget.admit(second!, 'a', 2), true);
  assert.equal(budget.admit(third!, 'a', 2), false);
  assert.equal(budget.admit(first!, 'a', 2), true);
  assert.equal(budget.admit(third!, 'b', 2), true);
  // The same connection with another's token.
  assert.equal(budget.admit(second!, 'b', 2), true);
  assert.equal(budget.admit(socket(), 'a', 2), true);
  first!.emit('close');
  assert.equal(budget.admit(socket(), 'a', 2), true);
  second!.emit('close');
  third!.emit('close');
  assert.equal(budget.admit(socket(), 'b', 1), true);
});
