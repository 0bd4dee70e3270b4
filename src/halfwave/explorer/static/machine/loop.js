/** The loop that keeps chains walking: one turn after the other, never two at once. */

const machinePause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const machineFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Runs `turn()` again and again, `rate()` times a second at most, while `may()` says so. */
export class MachineChainLoop {
  #running = false;

  constructor({ turn, rate, may }) {
    Object.assign(this, { turn, rate, may });
  }

  /** Go on, if the loop may; nothing happens where it is running already. */
  async wake() {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.may()) {
        const began = performance.now();
        await this.turn();
        await machinePause(Math.max(0, 1000 / this.rate() - (performance.now() - began)));
        await machineFrame();
      }
    } finally {
      this.#running = false;
    }
  }
}
