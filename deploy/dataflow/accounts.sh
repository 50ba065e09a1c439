#!/usr/bin/env bash
# The three accounts and all that each may do. May be run again: what is granted stays granted.
set -euo pipefail
# shellcheck source=deploy/values.env
. "$(dirname "$0")/../values.env"

account() {  # NAME PURPOSE
  gcloud iam service-accounts describe "$1" --project "$PROJECT" >/dev/null 2>&1 ||
    gcloud iam service-accounts create "${1%%@*}" --project "$PROJECT" --display-name "$2"
}
on_project() {  # ACCOUNT ROLE
  gcloud projects add-iam-policy-binding "$PROJECT" --member "serviceAccount:$1" --role "$2" --condition None >/dev/null
}
on_bucket() {  # ACCOUNT BUCKET ROLE
  gcloud storage buckets add-iam-policy-binding "gs://$2" --member "serviceAccount:$1" --role "$3" >/dev/null
}
on_account() {  # ACCOUNT ROLE OTHER-ACCOUNT
  gcloud iam service-accounts add-iam-policy-binding "$3" --project "$PROJECT" --member "serviceAccount:$1" \
    --role "$2" >/dev/null
}
on_image() {  # ACCOUNT
  gcloud artifacts repositories add-iam-policy-binding webscale-rl --project "$PROJECT" --location "$REGION" \
    --member "serviceAccount:$1" --role roles/artifactregistry.reader >/dev/null
}

# Workers, and the launcher of the template: take work from Dataflow, read the corpus, write the run, ask Vertex AI.
account "$WORKER_ACCOUNT" "webscale-rl workers"
on_project "$WORKER_ACCOUNT" roles/dataflow.worker
on_project "$WORKER_ACCOUNT" roles/aiplatform.user
on_bucket "$WORKER_ACCOUNT" "$CORPUS_BUCKET" roles/storage.objectViewer
on_bucket "$WORKER_ACCOUNT" "$BUCKET" roles/storage.objectUser
on_image "$WORKER_ACCOUNT"

# The client of the refresh: finds new files, submits, tries the model, commits; starts workers as the account above.
account "$CLIENT_ACCOUNT" "webscale-rl client"
on_project "$CLIENT_ACCOUNT" roles/dataflow.developer
on_project "$CLIENT_ACCOUNT" roles/aiplatform.user
on_bucket "$CLIENT_ACCOUNT" "$CORPUS_BUCKET" roles/storage.objectViewer
on_bucket "$CLIENT_ACCOUNT" "$BUCKET" roles/storage.objectUser
on_account "$CLIENT_ACCOUNT" roles/iam.serviceAccountUser "$WORKER_ACCOUNT"
on_image "$CLIENT_ACCOUNT"

# Cloud Scheduler: starts the client and nothing else. deploy/cron lets it, once there is a job to start.
account "$SCHEDULER_ACCOUNT" "webscale-rl schedule"
