"""Reason codes of workers, devices and what they compute; `screen.codes` reads them."""

# name | outcome | exit code | meaning | remedy
COMPUTE_CODES = """
SCORE_NONFINITE | Q-well | PARTIAL | the network gave no number | report it
WORKER_KILLED | Q-well | PARTIAL | the well ended or hung its worker three times, the last time alone | quarantine.retry=true
HOST_OOM | Q-well | PARTIAL | the well needs more memory than a worker has, alone too | give the worker more memory, then quarantine.retry=true
MEMORY_PROMISE | WARN | COMPLETE | a worker held more memory than was promised | raise cluster.memory_mb or lower cluster.threads
WELL_CHANGED | WARN | COMPLETE | the well's pixels changed since it was scored | none needed, it is scored again; call again
NONDETERMINISM | WARN | PARTIAL | two scores of one well differ | report it
DEVICE_FULL | STOP | RESOURCES | the device's memory is used up | free the device or set a smaller minibatch
DEVICE_LOST | STOP | RESOURCES | the device no longer computes | look at the driver's log, restart the device, run the same command again
DEVICE_BUSY | WARN | COMPLETE | another program computes on the device | end it, or expect less speed and memory
WORKERS_HUNG | STOP | RESOURCES | nothing was committed for long, three times in a row | look at the stacks of the run's folder, run the same command again
WORKERS_DIFFER | REFUSE | REFUSED | other versions give other scores | install the same versions on every host
WORKERS_GONE | STOP | RESOURCES | no worker is left to compute | run the same command again
"""
