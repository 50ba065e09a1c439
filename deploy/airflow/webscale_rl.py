"""Every night: what the corpus would cost at most, the refresh, and the report, which fails for a run outside its band.

Each task is a pod of our own image, so Airflow needs nothing of ours. Whatever fails is told by mail. It is not tried
again, as that would spend the budget again; the next night does what is left.
"""

from __future__ import annotations

import pendulum
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG
from kubernetes.client import models

tell = SmtpNotifier(
    smtp_conn_id="smtp_default",
    from_email="${ALERT_EMAIL}",
    to="${ALERT_EMAIL}",
    subject="webscale-rl: {{ ti.task_id }} of {{ ds }}",
    html_content="{{ ti.task_id }} failed: <a href='{{ ti.log_url }}'>its log</a> ends with the reason and the remedy.",
)


def command(name: str, *arguments: str) -> KubernetesPodOperator:
    """Return the task that runs one of our commands; its log is what the command says."""
    return KubernetesPodOperator(
        task_id=name,
        namespace="${NAMESPACE}",
        service_account_name="webscale-rl",
        image="${IMAGE}",
        cmds=["webscale-rl"],
        arguments=[name, *arguments],
        env_from=[models.V1EnvFromSource(secret_ref=models.V1SecretEnvSource(name="webscale-rl-keys", optional=True))],
        container_resources=models.V1ResourceRequirements(
            requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "4Gi"}
        ),
        security_context={"runAsNonRoot": True, "runAsUser": 10001},
        startup_timeout_seconds=600,
        retries=0,
        on_failure_callback=[tell],
    )


with DAG(
    "webscale_rl",
    description="Question-answer pairs from what is new in the corpus",
    schedule="${SCHEDULE}",
    start_date=pendulum.datetime(2026, 1, 1, tz="${TIME_ZONE}"),
    catchup=False,
    max_active_runs=1,
):
    estimate = command("estimate", "--input=${INPUT}", "--config=${CONFIG}")
    refresh = command(
        "refresh",
        "--input=${INPUT}",
        "--root=${ROOT}",
        "--config=${CONFIG}",
        *"${DATAFLOW_FLAGS}".split(),
    )
    report = command(
        "check-run",
        "${ROOT}",
        "--min-yield=${MIN_YIELD}",
        "--max-yield=${MAX_YIELD}",
        "--max-error-share=${MAX_ERROR_SHARE}",
    )
    estimate >> refresh >> report
