"""`runner import`: what another state file bought comes home, and is not bought again."""

from __future__ import annotations

from collections.abc import Callable

from desk import Desk

Provided = Callable[..., Desk]
ELSEWHERE = ("--state", "state/elsewhere.db")


def bought(provided: Provided, jobs: int) -> tuple[Desk, list[str]]:
    """A desk whose jobs run at the provider, and their task ids; the state file is lost."""
    desk = provided("--render", "1s")
    desk.manifest(jobs)
    desk.run("run", "batch.yaml", *ELSEWHERE, "--deadline", "700ms", code=3)
    charges = desk.audit()["charges"]
    by_image = {charge["body"]["promptImage"][-6:-4]: charge["task_id"] for charge in charges}
    return desk, [by_image[key] for key in sorted(by_image)]


def test_tasks_of_jobs_are_not_bought_again(provided: Provided) -> None:
    """Each comes home as its job's video, counts as paid, and a second import changes nothing."""
    desk, tasks = bought(provided, 3)
    rows = [f"lamp-{number:02},{task}" for number, task in enumerate(tasks, 1)]
    desk.write("tasks.csv", "\n".join(["id,task_id", "# from the old script", *rows, ""]))
    said = desk.run("import", "batch.yaml", "--ids", "tasks.csv").stdout
    assert "3 tasks taken over; next: " in said
    assert "0 tasks" in desk.run("import", "batch.yaml", "--ids", "tasks.csv").stdout
    assert {job["attempts"] for job in desk.status()["jobs"]} == {1}
    desk.run("run", "batch.yaml")
    assert [(job["status"], job["task_id"]) for job in desk.status()["jobs"]] == [
        ("done", task) for task in tasks
    ]
    assert len(desk.audit()["charges"]) == 3
    assert "in order" in desk.run("doctor", "batch.yaml").stdout


def test_a_task_without_a_job_comes_home_by_itself(provided: Provided) -> None:
    """It is a job outside the manifest, named like the task; the manifest's own are bought."""
    desk, tasks = bought(provided, 1)
    desk.write("other.yaml", (desk.folder / "batch.yaml").read_text().replace("01.jpg", "77.jpg"))
    desk.write("tasks.txt", f"\n{tasks[0]}\n")
    desk.run("import", "other.yaml", "--ids", "tasks.txt")
    desk.run("run", "other.yaml")
    jobs = {job["id"]: job for job in desk.status("other.yaml")["jobs"]}
    assert jobs.keys() == {"lamp-01", tasks[0]}
    assert not jobs[tasks[0]]["in_manifest"]
    assert (desk.folder / jobs[tasks[0]]["output"]).name == f"{tasks[0]}.mp4"
    assert len(desk.audit()["charges"]) == 2
    desk.run("report", "other.yaml", "--json", "report.json")
    desk.run("run", "other.yaml")


def test_mistakes_are_told_at_once_and_change_nothing(provided: Provided) -> None:
    """Each with its line; not one of the others is taken over."""
    desk, tasks = bought(provided, 2)
    lines = [f"lamp-01,{tasks[0]}", "lamp-1,t-1", "lamp-02,a b", f"lamp-02,{tasks[0]}", "lamp-01,t"]
    desk.write("tasks.csv", "\n".join(lines))
    said = desk.run("import", "batch.yaml", "--ids", "tasks.csv", code=2).stderr.splitlines()
    assert said == [
        "tasks.csv:2: `lamp-1` is no job of the manifest (did you mean `lamp-01`?)",
        "tasks.csv:3: `a b` does not look like a task id",
        "tasks.csv:4: `job lamp-02` is there twice",
        "tasks.csv:5: `job lamp-01` is there twice",
        "4 mistakes; nothing was sent",
    ]
    assert desk.status()["counts"]["running"] == 0


def test_only_planned_jobs_are_given_a_task(provided: Provided) -> None:
    """What has a task or a video already keeps it; a file without ids is said to be one."""
    desk, _ = bought(provided, 1)
    desk.run("run", "batch.yaml", *ELSEWHERE)
    desk.write("tasks.csv", "lamp-01,another-task\n")
    said = desk.run("import", "batch.yaml", "--ids", "tasks.csv", *ELSEWHERE, code=2).stderr
    assert "`lamp-01` is done: only a planned job can be given a task" in said
    desk.write("none.txt", "# nothing\n")
    assert "no task ids" in desk.run("import", "batch.yaml", "--ids", "none.txt", code=2).stderr
    assert "No such file" in desk.run("import", "batch.yaml", "--ids", "x.txt", code=2).stderr
